"""Requests to FullStory: one session with the key, one without, a limiter per endpoint, retries that end.

https://developer.fullstory.com covers authentication (the key goes verbatim after `Basic `), errors and limits.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import orjson
import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets, filter_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from source_fullstory.config import Config, is_safe
from source_fullstory.http import errors
from source_fullstory.http.rate_limit import Limiter, parsed_date, retry_after
from source_fullstory.kit.reader import Stopped
from source_fullstory.rows.decode import lenient

Params = Mapping[str, Any]
Body = dict[str, Any]
Result = TypeVar("Result")
Answered = Callable[[], None]

NETWORK_ERRORS = (requests.RequestException, HTTPError, OSError)

_CONNECT_SECONDS = 15
_SILENCE_SECONDS = 60  # longest pause between two pieces of an answer
_ANSWER_SECONDS = 120  # longest time for a whole answer that is no bundle
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_LONGEST_HINT_SECONDS = 3600.0  # a server that asks for a longer pause has failed this sync
_LOG_SECONDS = 120.0  # of waiting, after which the log hears of it again
_CLOCK_TOLERANCE_SECONDS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_MOST_CONNECTIONS = 64  # that are kept: more than there are threads

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give a request up: after so many failed tries, when so many seconds were not enough, or when it has been
    told to come back later for so long. A 429 is no failed try: any number of them is fine until then."""

    tries: int = 9
    seconds: float = float("inf")
    throttled_seconds: float = 3600.0


CHECK_PATIENCE = Patience(tries=3, seconds=20.0)
ONE_TRY = Patience(tries=1, seconds=0.0)


class Retry(Exception):
    """This try failed in a way that time may mend."""

    def __init__(self, problem: str, wait: float | None = None, *, throttled: bool = False) -> None:
        self.problem = problem
        self.wait = wait
        self.throttled = throttled
        super().__init__(problem)


class GivenUp(Exception):
    """Retried in vain. `problem` is that of the last try."""

    def __init__(self, problem: str, tries: int, seconds: float) -> None:
        self.problem = problem
        self.tries = tries
        self.seconds = seconds
        super().__init__(f"{problem}, {tries} times in {seconds:.0f} s")


class _Key(AuthBase):
    """As an `auth` of the session the key wins over a ~/.netrc; as a header it would not."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request


class FullStoryApi:
    """What all streams share: the sessions, the limiters, and the start of the sync."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sync_start = int(time.time())
        """In Unix seconds; by FullStory's clock, if ours is ahead of it."""
        self.clock_known = False
        self._lock = Lock()
        self.downloads = Limiter(config.downloads_per_minute)
        self.lists = Limiter()
        self.orders = Limiter()
        """Of segment exports."""
        self._limiters: defaultdict[str, Limiter] = defaultdict(partial(Limiter, side_by_side=True))
        self.storage = Limiter(side_by_side=True)
        self.session = _session(f"Basic {config.api_key}")
        self._without_key = _session(None)

    def client(self, stream: str, patience: Patience | None = None) -> Client:
        """A stream's own view of the API, with its own counters and its own stop switch."""
        return Client(self, stream, patience or Patience())

    def limiter(self, path: str) -> Limiter:
        """FullStory does not say which endpoints share a limit; the first two parts of the path come close."""
        return self._limiters["/".join(path.split("/")[:3])]

    def compare_clocks(self, headers: Mapping[str, str]) -> None:
        """Set the start of the sync back if FullStory's clock is behind ours, as the first answer's Date tells.

        With a clock that runs ahead, time would be exported, and count as read, before its events are there.
        """
        date = parsed_date(headers.get("Date", ""))
        with self._lock:
            if self.clock_known or date is None:
                return
            ahead = int(time.time() - date.timestamp())
            if ahead > _CLOCK_TOLERANCE_SECONDS:
                logger.warning(f"This machine's clock is {ahead:,} s ahead of FullStory's; going by FullStory's.")
                self.sync_start -= ahead
            self.clock_known = True

    def open_bundle(self, bundle_id: int) -> requests.Response:
        """The answer to /export/get, unread; a redirect is followed, but the key goes to FullStory only.

        Redirects are not documented. Segment Export hands out signed addresses in Google's storage, so bundles may
        some day. Raises Retry for a redirect that leads nowhere, AirbyteTracedException for one into the clear.
        """
        url = f"{self.config.export_url}/api/v1/export/get"
        return self._follow(_get(self.session, url, {"id": bundle_id}), own=self.config.export_url)

    def open_location(self, url: str) -> requests.Response:
        """The answer of a signed address, unread; it never gets the key. Raises as open_bundle does, and Retry when
        the address is no longer good: it lives some five minutes (https://developer.fullstory.com, "Get export
        results")."""
        return self._follow(self._open_signed(url, self._without_key))

    def _follow(self, response: requests.Response, own: str = "") -> requests.Response:
        """Where redirects lead; the key goes along to `own` only."""
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                return response
            with response:
                url = urljoin(response.url, response.headers.get("Location", ""))
            response = self._open_signed(url, self.session if _same_origin(url, own) else self._without_key)
        response.close()
        raise Retry(f"was redirected more than {_MOST_REDIRECTS} times")

    def _open_signed(self, url: str, session: requests.Session) -> requests.Response:
        _conceal(url)
        if not is_safe(url):
            raise _unsafe(url)
        response = _get(session, url)
        if 400 <= response.status_code < 500 and response.status_code not in errors.RETRY_STATUSES:
            response.close()
            raise Retry(f"was sent to {urlsplit(url).hostname}, which answered {response.status_code}")
        return response


@dataclass(slots=True)
class Usage:
    """What a stream asked of the API so far."""

    requests: int = 0
    downloaded_bytes: int = 0
    waited_seconds: float = 0.0


@dataclass(slots=True)
class Client:
    """Sends one stream's requests. Thread-safe."""

    api: FullStoryApi
    stream: str
    patience: Patience
    usage: Usage = field(default_factory=Usage)
    stopped: Event = field(default_factory=Event)

    def get(self, path: str, params: Params | None = None) -> Body:
        """The JSON object at `path` of the API.

        Raises FullStoryError for a final refusal, AirbyteTracedException when the request was given up or the key
        is not let in, Stopped when the stream was told to stop.
        """
        url = self.api.config.api_url + path
        exchange = self._exchange(partial(_get, self.api.session, url, params), path, _expect_object)
        return self._persist(path, url, self.api.limiter(path), exchange)

    def learn_clock(self) -> None:
        """Ask for anything, if nothing was asked yet, so that `api.sync_start` is by FullStory's clock. Any answer has
        a date, and without one ours has to do."""
        if not self.api.clock_known:
            send = partial(_get, self.api.session, f"{self.api.config.api_url}/me")
            with suppress(errors.FullStoryError, GivenUp):
                self.persist("/me", self.api.limiter("/me"), self._exchange(send, "/me", _expect_object), ONE_TRY)

    def order(self, path: str, body: Body) -> Body:
        """What FullStory answers to a POST that begins an export. Raises as `get` does."""
        url, send = self._post(path, body)
        return self._persist(path, url, self.api.orders, self._exchange(send, path, _expect_object))

    def order_if_free(self, path: str, body: Body) -> Body | None:
        """Like `order`, but None at once where FullStory asks to come back later, or nothing works."""
        _, send = self._post(path, body)
        try:
            return self.persist(path, self.api.orders, self._exchange(send, path, _expect_object), ONE_TRY)
        except GivenUp as given_up:
            logger.info(f"{self.stream}: {path} {given_up.problem}; going on with what was ordered before")
            return None

    def _post(self, path: str, body: Body) -> tuple[str, Callable[[], requests.Response]]:
        url = self.api.config.api_url + path
        return url, partial(_post, self.api.session, url, body)

    def exports(self, start: int) -> list[Body]:
        """One page of /export/list: bundles whose end lies after `start` (Unix seconds). Raises as `get` does."""
        path, url = "/export/list", f"{self.api.config.export_url}/api/v1/export/list"
        exchange = self._exchange(partial(_get, self.api.session, url, {"start": start}), path, _expect_exports)
        return list(self._persist(path, url, self.api.lists, exchange).get("exports") or [])

    def pause(self, seconds: float) -> None:
        """Sleep, unless the stream is told to stop."""
        if self.stopped.wait(seconds):
            raise Stopped

    def persist(
        self, what: str, limiter: Limiter, exchange: Callable[[Answered], Result], patience: Patience | None = None
    ) -> Result:
        """What `exchange` returns, which is called again as long as it raises Retry and patience lasts.

        It may call what it is given once it knows that it was let in, so that others need not wait for its end.
        Raises GivenUp, Stopped, and whatever else `exchange` raises.
        """
        patience = patience or self.patience
        began = time.monotonic()
        failures = throttles = 0
        throttled_since = float("inf")
        while True:
            ticket = self._wait_for_turn(what, limiter)
            self.usage.requests += 1
            try:
                return exchange(partial(limiter.answered, ticket))
            except Retry as retry:
                throttles += retry.throttled
                failures += not retry.throttled
                for_all = retry.throttled or retry.wait is not None
                pause = retry.wait or _backoff(failures + throttles)
                if for_all and pause <= _LONGEST_HINT_SECONDS:
                    limiter.refuse(pause)  # all requests of this kind wait, not just this one, even if it gives up
                elapsed = time.monotonic() - began
                throttled_since = min(throttled_since, elapsed) if retry.throttled else float("inf")
                throttled = elapsed - throttled_since > patience.throttled_seconds
                late = elapsed + pause > patience.seconds or throttled
                if failures >= patience.tries or late or pause > _LONGEST_HINT_SECONDS:
                    raise GivenUp(retry.problem, failures + throttles, elapsed) from retry
                logger.info(f"{self.stream}: {what} {retry.problem}; next try in {pause:.1f} s")
            finally:
                limiter.answered(ticket)
            if not for_all:
                self.pause(pause)

    def _wait_for_turn(self, what: str, limiter: Limiter) -> int:
        told = -_LOG_SECONDS
        began = time.monotonic()
        while True:
            seconds, ticket = limiter.take()
            if ticket:
                return ticket
            waited = time.monotonic() - began
            if seconds > 1 and waited - told >= _LOG_SECONDS:
                told = waited
                logger.info(f"{self.stream}: {what} waits {seconds:.0f} s for FullStory's limit")
            step = min(seconds, _LOG_SECONDS)
            self.pause(step)
            self.usage.waited_seconds += step

    def _exchange(
        self, send: Callable[[], requests.Response], endpoint: str, expect: Callable[[Any], Body]
    ) -> Callable[[Answered], Body]:
        """One request and its whole answer, for `persist`."""

        def exchange(_: Answered) -> Body:
            try:
                with send() as response:
                    content = _content(response)
            except NETWORK_ERRORS as error:
                raise Retry(f"failed ({root_cause(error)})") from error
            self.api.compare_clocks(response.headers)
            check_status(response, endpoint, content)
            return expect(_json(content))

        return exchange

    def _persist(self, endpoint: str, url: str, limiter: Limiter, exchange: Callable[[Answered], Body]) -> Body:
        try:
            return self.persist(endpoint, limiter, exchange)
        except GivenUp as given_up:
            raise self._unreachable(endpoint, url, given_up) from given_up

    def _unreachable(self, endpoint: str, url: str, given_up: GivenUp) -> AirbyteTracedException:
        host = urlsplit(url).netloc
        return AirbyteTracedException(
            message=f"FullStory could not be read for {self.stream}: {endpoint} at {host} {given_up}. What was read "
            "before is kept: try again. If this goes on, look at https://status.fullstory.com, and check that this "
            "machine can reach that address.",
            internal_message=f"{endpoint} {given_up.problem}",
            failure_type=FailureType.transient_error,
        )


def check_status(response: requests.Response, endpoint: str, content: bytes) -> None:
    """Nothing for a success; Retry for what time may mend; else what errors.for_status makes of it."""
    status = response.status_code
    if status == 429:
        raise Retry("was over the limit", retry_after(response.headers), throttled=True)
    if status in errors.RETRY_STATUSES:
        raise Retry(f"answered {status}", retry_after(response.headers))
    if status in _REDIRECTS:
        raise errors.redirected(endpoint, urlsplit(response.headers.get("Location", "")).netloc)
    if not 200 <= status < 300:
        raise errors.for_status(status, endpoint, _json_or_text(content))


def root_cause(error: BaseException) -> str:
    """The innermost reason of a network error: the outer ones repeat it with the address of a pool object."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return filter_secrets(f"{type(error).__name__}: {error}")[:200]


def _session(authorization: str | None) -> requests.Session:
    session = requests.Session()
    session.auth = _Key(authorization)
    # Not more than gzip: decode.py unpacks bundles itself.
    session.headers.update({"Accept-Encoding": "gzip", "User-Agent": "airbyte-source-fullstory"})
    adapter = HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _get(session: requests.Session, url: str, params: Params | None = None) -> requests.Response:
    timeout = (_CONNECT_SECONDS, _SILENCE_SECONDS)
    return session.get(url, params=params, timeout=timeout, stream=True, allow_redirects=False)


def _post(session: requests.Session, url: str, body: Body) -> requests.Response:
    timeout = (_CONNECT_SECONDS, _SILENCE_SECONDS)
    return session.post(url, json=body, timeout=timeout, stream=True, allow_redirects=False)


def _same_origin(url: str, other: str) -> bool:
    first, second = urlsplit(url), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)


def _conceal(url: str) -> None:
    """A signed address is as good as a key: keep its query out of all logs, as it is and as requests writes it."""
    prepared = requests.Request("GET", url).prepare().url or url
    for query in {urlsplit(url).query, urlsplit(prepared).query} - {""}:
        add_to_secrets(query)
        for part in query.split("&"):
            value = part.partition("=")[2]
            if len(value) >= 16:
                add_to_secrets(value)


def _unsafe(url: str) -> AirbyteTracedException:
    parts = urlsplit(url)
    return AirbyteTracedException(
        message=f"FullStory redirected a download to {parts.scheme}://{parts.hostname}, which is not encrypted. That "
        "should never be; check whether something stands between this machine and FullStory.",
        internal_message="redirected into the clear",
        failure_type=FailureType.system_error,
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
        return lenient(content)
    except (ValueError, RecursionError) as error:
        raise Retry("answered something that is not JSON") from error


def _json_or_text(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def _expect_object(body: Any) -> Body:
    if not isinstance(body, dict):
        raise Retry("answered JSON that is not an object")
    return body


def _expect_exports(body: Any) -> Body:
    """`exports` may be null, or missing if there is nothing else: so Go writes an empty list."""
    found = _expect_object(body).get("exports", ... if body else None)
    if found is not None and not (isinstance(found, list) and all(isinstance(row, dict) for row in found)):
        raise Retry(f"answered without a list of bundles ({errors.explain(body)})")
    return dict(body)


def _backoff(tries: int) -> float:
    """Exponential, with jitter so that workers that failed together do not come back together."""
    pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(tries - 1, 10))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
