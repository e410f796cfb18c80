"""Requests to Close: one session, one limiter per endpoint group, retries that end.

https://developer.close.com/topics/ covers authentication, rate limits, pagination and errors. Every path ends
with a slash: without it Close redirects, and a redirect may lose the Authorization header.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import BoundedSemaphore, Event, Lock
from typing import Any, TypeVar

import orjson
import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from source_closeio import errors
from source_closeio.config import Config
from source_closeio.rate_headers import Allowance, allowance, retry_after
from source_closeio.rate_limit import Limiter, Turn
from source_closeio.reader import Stopped

Params = Mapping[str, Any]
Body = dict[str, Any]
Shared = TypeVar("Shared")

_CONNECT_SECONDS = 15
_SILENCE_SECONDS = 60  # longest pause between two pieces of an answer
_ANSWER_SECONDS = 300  # longest time for a whole answer
_FIRST_PAUSE_SECONDS = 0.5
_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0
_LONG_WAIT_SECONDS = 15.0
_LONGEST_HINT_SECONDS = 600.0  # a server that asks for a longer pause has failed this sync
_LONGEST_QUERY = 1900  # Close advises against URLs above some 2,000 characters
_AS_GET = {"x-http-method-override": "GET"}
_CLOCK_TOLERANCE = timedelta(seconds=5)

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give a request up: after so many failed tries, or at the first failure after so many seconds.

    A 429 is no failed try: only the seconds bound how often one request is told to wait.
    """

    tries: int = 12
    seconds: float = 300.0


SYNC_PATIENCE = Patience()
CHECK_PATIENCE = Patience(tries=3, seconds=20.0)


class _Retry(Exception):
    """This try failed in a way that time may mend."""

    def __init__(
        self, problem: str, wait: float | None = None, *, throttled: bool = False, said: Allowance | None = None
    ) -> None:
        self.problem = problem
        self.wait = wait
        self.throttled = throttled
        self.said = said
        super().__init__(problem)


class CloseApi:
    """What all streams share: the session, the limiters, and the start of the sync."""

    def __init__(self, config: Config) -> None:
        self.url = config.api_url
        token = b64encode(f"{config.api_key}:".encode()).decode()
        # The CDK masks the key in logs and traces, but not this form of it.
        add_to_secrets(token)
        self.session = requests.Session()
        # What requests would look up in the environment for each request anew.
        self.session.proxies = get_environ_proxies(self.url)
        self.session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self.session.trust_env = False
        self.session.auth = (config.api_key, "")
        self.session.headers.update({"Accept": "application/json", "User-Agent": "airbyte-source-closeio"})
        adapter = HTTPAdapter(pool_maxsize=config.num_workers)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self.in_flight = BoundedSemaphore(config.num_workers)
        self._limiters: dict[str, Limiter] = defaultdict(Limiter)
        self.organization = Limiter(alone_first=False)
        self._lock = Lock()
        self.sync_start = datetime.now(UTC)
        """When this sync began, by Close's clock if ours is ahead of it. State never passes this."""
        self._clock_known = False
        self._shared: dict[str, Any] = {}
        self._sharing = Lock()

    def once(self, name: str, fetch: Callable[[], Shared]) -> Shared:
        """What `fetch` brings, fetched once for all streams that need it."""
        with self._sharing:
            if name not in self._shared:
                self._shared[name] = fetch()
            found: Shared = self._shared[name]
            return found

    def client(self, stream: str, patience: Patience | None = None) -> Client:
        """A stream's own view of the API, with its own counters and its own stop switch."""
        return Client(self, stream, patience or SYNC_PATIENCE)

    def limiter(self, method: str, path: str) -> Limiter:
        """Close does not publish its endpoint groups; method and first part of the path come close."""
        with self._lock:
            return self._limiters[f"{method} {path.partition('/')[0]}"]

    def compare_clocks(self, headers: Mapping[str, str]) -> None:
        """Set the start of the sync back if Close's clock is behind ours, as the first answer's Date tells.

        With a clock that runs ahead, rows that Close dates between its now and ours would be skipped by the
        next sync. A clock that runs behind only makes the next sync read a little more.
        """
        with self._lock:
            if self._clock_known:
                return
            self._clock_known = True
        try:
            ahead = datetime.now(UTC) - parsedate_to_datetime(headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        if ahead > _CLOCK_TOLERANCE:
            logger.warning(f"This machine's clock is {ahead} ahead of Close's; going by Close's.")
        self.sync_start -= max(ahead, timedelta(0))


@dataclass(slots=True)
class Usage:
    """What a stream asked of the API so far."""

    requests: int = 0
    waited_seconds: float = 0.0


@dataclass(slots=True)
class Client:
    """Sends one stream's requests. Thread-safe."""

    api: CloseApi
    stream: str
    patience: Patience
    usage: Usage = field(default_factory=Usage)
    stopped: Event = field(default_factory=Event)
    limits: dict[str, int] = field(default_factory=dict)
    """Page sizes that an endpoint (by path) was found to insist on."""
    offered: set[str] = field(default_factory=set)
    """Lists (by path) that have answered."""
    ids_at_once: dict[str, int] = field(default_factory=dict)
    """How many ids an endpoint (by path) was found to take at once."""

    def get(self, path: str, params: Params | None = None) -> Body:
        """The JSON object at `path`. Raises CloseError for a final refusal, AirbyteTracedException when the
        request was given up, Stopped when the stream was told to stop."""
        return self._send("GET", path, params=params)

    def get_list(self, path: str, params: Params) -> Body:
        """Like get, for a page of a list: the answer holds `data`, a list.

        Filters too long for a URL go as a POST that says it is a GET, as
        https://developer.close.com/topics/filter-parameters describes.
        """
        if sum(len(f"{name}={value}&") for name, value in params.items()) <= _LONGEST_QUERY:
            return self._send("GET", path, params=params, is_list=True)
        return self._send("POST", path, json_body={"_params": params}, headers=_AS_GET, is_list=True)

    def search(self, body: Body) -> Body:
        """A page of Advanced Filtering (https://developer.close.com/api/resources/advanced-filtering/search)."""
        return self._send("POST", "data/search/", json_body=body, is_list=True)

    def pause(self, seconds: float) -> None:
        """Sleep, unless the stream is told to stop."""
        if self.stopped.wait(seconds):
            raise Stopped

    def _send(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        json_body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_list: bool = False,
    ) -> Body:
        limiter = self.api.limiter(method, path)
        began = float("inf")
        failures = throttles = 0
        while True:
            turn = self._wait_for_turn(limiter)
            began = min(began, time.monotonic())
            try:
                body = self._exchange(method, path, params, json_body, headers, turn)
                return _expect_list(body) if is_list else _expect_object(body)
            except _Retry as retry:
                throttles += retry.throttled
                failures += not retry.throttled
                pause = max(_SHORTEST_PAUSE_SECONDS, retry.wait or _backoff(failures + throttles))
                if retry.throttled:
                    turn.refused(retry.said, pause)  # the whole group waits, not just this request, even if it gives up
                elapsed = time.monotonic() - began
                if failures >= self.patience.tries or elapsed > self.patience.seconds or pause > _LONGEST_HINT_SECONDS:
                    raise self._given_up(f"{method} /{path}", retry.problem, failures + throttles, elapsed) from retry
                logger.info(f"{self.stream}: {method} /{path} {retry.problem}; next try in {pause:.1f} s")
                if not retry.throttled:
                    self.pause(pause)

    def _wait_for_turn(self, limiter: Limiter) -> Turn:
        turn = Turn(limiter, self.api.organization)
        while seconds := turn.wait():
            if seconds > _LONG_WAIT_SECONDS:
                logger.info(f"{self.stream}: waits {seconds:.0f} s for the rate limit")
            self.usage.waited_seconds += seconds
            try:
                self.pause(seconds)
            except Stopped:
                turn.lost()
                raise
        return turn

    def _exchange(
        self,
        method: str,
        path: str,
        params: Params | None,
        json_body: Body | None,
        headers: Mapping[str, str] | None,
        turn: Turn,
    ) -> Any:
        """One request and its whole answer, as JSON. Raises _Retry, or what errors.for_status makes of it."""
        self.usage.requests += 1
        try:
            with self.api.in_flight:
                turn.sends()
                response = self.api.session.request(
                    method,
                    self.api.url + path,
                    params=params,
                    json=json_body,
                    headers=headers,
                    timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS),
                    stream=True,
                )
                with response:
                    content = _content(response)
        except (requests.RequestException, HTTPError, OSError) as error:
            turn.lost()
            raise _Retry(f"failed ({_root_cause(error)})") from error
        self.api.compare_clocks(response.headers)
        status = response.status_code
        if status == 429:
            body = _json_or_text(content)
            hint = retry_after(response.headers, body)
            raise _Retry("was over the rate limit", hint, throttled=True, said=allowance(response.headers))
        turn.answered(allowance(response.headers))
        if status in errors.RETRY_STATUSES:
            hint = retry_after({"Retry-After": response.headers.get("Retry-After", "")}, None)
            raise _Retry(f"answered {status}", hint)
        if not 200 <= status < 300:
            raise errors.for_status(status, f"{method} /{path}", _json_or_text(content))
        return _json(content)

    def _given_up(self, endpoint: str, problem: str, tries: int, seconds: float) -> AirbyteTracedException:
        return AirbyteTracedException(
            message=f"Close could not be read for stream {self.stream}: {endpoint} at {self.api.url} {problem}, "
            f"{tries} times in {seconds:.0f} s. What was read before is kept: run the sync again. If this goes on, "
            "look at https://status.close.com, and check that this machine can reach that address.",
            internal_message=f"{endpoint} at {self.api.url} {problem}",
            failure_type=FailureType.transient_error,
        )


def _content(response: requests.Response) -> bytes:
    """The whole body. A server that sends without end, or a byte at a time, is cut off in bounded time."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    pieces = []
    while piece := response.raw.read1(1 << 20, decode_content=True):
        pieces.append(piece)
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer took too long")
    return b"".join(pieces)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        pass
    try:
        return _lenient_json(content)
    except (ValueError, RecursionError) as error:
        raise _Retry("answered something that is not JSON") from error


def _lenient_json(content: bytes) -> Any:
    """JSON with half a surrogate pair, as text cut in the middle of an emoji has it, or with NaN.

    No destination can store either, and some drop the whole row: the half becomes U+FFFD, NaN null.
    """
    text = json.dumps(json.loads(content, parse_constant=lambda _: None), ensure_ascii=False)
    return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _json_or_text(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def _expect_object(body: Any) -> Body:
    if not isinstance(body, dict):
        raise _Retry("answered JSON that is not an object")
    return body


def _expect_list(body: Any) -> Body:
    rows = _expect_object(body).get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _Retry("answered JSON without a list of objects in `data`")
    return dict(body)


def _backoff(tries: int) -> float:
    """Exponential, with jitter so that workers that failed together do not come back together."""
    pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(tries - 1, 10))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def _root_cause(error: BaseException) -> str:
    """The innermost reason of a network error: the outer ones repeat it with the address of a pool object."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"[:200]
