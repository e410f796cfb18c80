"""Requests to Close: one session, one limiter per endpoint group, retries that end.

https://developer.close.com/topics/ covers authentication, rate limits, pagination and errors. Every path ends
with a slash: without it Close redirects, and redirects are not followed.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore, Event, Lock, RLock
from typing import Any, TypeVar

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.config import Config
from source_closeio.http import errors
from source_closeio.http.rate_headers import Allowance, allowance, retry_after
from source_closeio.http.rate_limit import Limiter, Turn
from source_closeio.kit import headers as kit_headers
from source_closeio.kit import transport
from source_closeio.kit.answers import Body, expect_object, parsed, parsed_or_text
from source_closeio.kit.clock import ServerClock
from source_closeio.kit.config import parsed_url
from source_closeio.kit.contract import Stopped
from source_closeio.kit.retry import GivenUp, Patience, Retry, Timing, persist
from source_closeio.kit.secrets import conceal

Params = Mapping[str, Any]
Shared = TypeVar("Shared")

TIMING = Timing(Patience(tries=12, seconds=300.0, longest_wait=600.0))
_MOST_BYTES = 64 * 1024 * 1024  # of one answer, unpacked
_MOST_BYTES_OF_A_PAGE = 8 * 1024 * 1024  # several are in memory at once; larger ones are asked for in halves
FEWEST_ROWS = 2
"""A walk by `_skip` needs two: each page begins with the last row of the one before."""
_LONG_WAIT_SECONDS = 15.0
_LONGEST_QUERY = 1900  # Close advises against URLs above some 2,000 characters
_AS_GET = {"x-http-method-override": "GET"}

logger = logging.getLogger("airbyte")


class CloseApi:
    """What all streams share: the session, the limiters, and the start of the sync."""

    def __init__(self, config: Config, timing: Timing = TIMING) -> None:
        self.config = config
        self.url = config.api_url
        parsed = parsed_url(self.url)
        self.host = (parsed and parsed.netloc) or ""
        self.timing = timing
        conceal(config.api_key, f"{config.api_key}:")
        token = b64encode(f"{config.api_key}:".encode()).decode()
        self.session = transport.session(self.url, f"Basic {token}", "airbyte-source-closeio", config.num_workers)
        self.in_flight = BoundedSemaphore(config.num_workers)
        self._limiters: dict[str, Limiter] = defaultdict(Limiter)
        self.organization = Limiter(alone_first=False)
        self.clock = ServerClock("Close")
        self._lock = Lock()
        self._shared: dict[str, Any] = {}
        self._sharing = RLock()

    @property
    def sync_start(self) -> datetime:
        """When this sync began, by Close's clock. State never passes this."""
        return self.clock.sync_start

    def learn_clock(self) -> None:
        """Plans are made by Close's clock, so it is asked for first. What goes wrong here the streams will tell, with
        more patience; all but a key that is good for nothing. Raises AirbyteTracedException."""
        client = self.client("start", self.timing.check_patience)
        try:
            self.me(client)
            if not self.clock.is_known:  # it goes by a Date that is off only when a second one agrees
                client.get("me/")
        except (errors.CloseError, transport.TooLarge):
            return
        except AirbyteTracedException as error:
            if error.failure_type is FailureType.config_error:
                raise

    def me(self, client: Client) -> Body:
        """Whose key this is. Raises what Client.get does."""
        return self.once("me", lambda: client.get("me/"))

    def once(self, name: str, fetch: Callable[[], Shared]) -> Shared:
        """What `fetch` brings, fetched once for all streams that need it."""
        with self._sharing:
            if name not in self._shared:
                self._shared[name] = fetch()
            found: Shared = self._shared[name]
            return found

    def client(self, stream: str, patience: Patience | None = None) -> Client:
        """A stream's own view of the API, with its own counters and its own stop switch."""
        return Client(self, stream, patience or self.timing.patience)

    def limiter(self, method: str, path: str) -> Limiter:
        """Close does not publish its endpoint groups; method and first part of the path come close."""
        with self._lock:
            return self._limiters[f"{method} {path.partition('/')[0]}"]


@dataclass(slots=True)
class Usage:
    """What a stream asked of the API so far."""

    requests: int = 0
    waited_seconds: float = 0.0
    left_out: int = 0
    left_out_because: str = ""


@dataclass(slots=True)
class _Sent:
    """A request under its rate limits, for kit/retry.py."""

    turn: Turn
    allowance: Allowance | None = None
    is_settled: bool = False

    def refused(self, retry: Retry, seconds: float) -> bool:
        if retry.throttled:
            self.is_settled = True
            self.turn.refused(self.allowance, seconds)
        return retry.throttled

    def answered(self, said: Allowance | None) -> None:
        self.is_settled = True
        self.turn.answered(said)

    def close(self) -> None:
        if not self.is_settled:
            self.turn.lost()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Params | None = None
    json_body: Body | None = None
    headers: Mapping[str, str] | None = None
    rows: int = 1

    def __str__(self) -> str:
        return f"{self.method} /{self.path}"


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
        return self._send(_Request("GET", path, params=params), expect_object)

    def get_list(self, path: str, params: Params) -> Body:
        """Like get, for a page of a list: the answer holds `data`, a list.

        Filters too long for a URL go as a POST that says it is a GET, as
        https://developer.close.com/topics/filter-parameters describes. Those by date count only in the URL [seen].
        Raises TooLarge, too.
        """
        rows = params["_limit"]
        if sum(len(f"{name}={value}&") for name, value in params.items()) <= _LONGEST_QUERY:
            return self._send(_Request("GET", path, params=params, rows=rows), _expect_list)
        dates = {name: value for name, value in params.items() if name.startswith("date_")} or None
        rest = {name: value for name, value in params.items() if not name.startswith("date_")}
        return self._send(_Request("POST", path, dates, {"_params": rest}, _AS_GET, rows), _expect_list)

    def search(self, body: Body) -> Body:
        """A page of Advanced Filtering (https://developer.close.com/api/resources/advanced-filtering/search). Raises
        TooLarge, too."""
        return self._send(_Request("POST", "data/search/", json_body=body, rows=body["_limit"]), _expect_list)

    def leave_out(self, error: errors.CloseError) -> None:
        """Close has not given a single object, which says nothing about the others: told with a count at the end."""
        self.usage.left_out += 1
        self.usage.left_out_because = self.usage.left_out_because or str(error)

    def pause(self, seconds: float) -> None:
        """Sleep, unless the stream is told to stop."""
        if self.stopped.wait(seconds):
            raise Stopped

    def _send(self, request: _Request, expect: Callable[[Any], Body]) -> Body:
        limiter = self.api.limiter(request.method, request.path)
        try:
            return persist(
                take_turn=lambda: _Sent(self._wait_for_turn(limiter)),
                attempt=lambda sent: expect(self._exchange(request, sent)),
                patience=self.patience,
                pause=self.pause,
                tell=lambda what: logger.info(f"{self.stream}: {request} {what}"),
            )
        except GivenUp as failure:
            raise errors.given_up(self.stream, str(request), self.api.host, failure) from failure

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

    def _exchange(self, request: _Request, sent: _Sent) -> Any:
        """One request and its whole answer, as JSON. Raises Retry, or what errors.for_status makes of it."""
        self.usage.requests += 1
        try:
            with self.api.in_flight:
                sent.turn.sends()
                status, headers, content = self._receive(request)
        except transport.NETWORK_ERRORS as error:
            raise Retry(f"failed ({transport.root_cause(error)})") from error
        self.api.clock.read(headers)
        if status == 429:
            sent.allowance = allowance(headers)
            raise Retry("was over the rate limit", retry_after(headers, parsed_or_text(content)), throttled=True)
        sent.answered(allowance(headers))
        if status in transport.RETRY_STATUSES:
            raise Retry(f"answered {status}", kit_headers.retry_after(headers))
        if status in transport.REDIRECTS:
            target = parsed_url(headers.get("Location", ""))
            raise errors.redirected(str(request), target.host if target else None)
        if not 200 <= status < 300:
            raise errors.for_status(status, str(request), parsed_or_text(content))
        return parsed(content)

    def _receive(self, request: _Request) -> tuple[int, Mapping[str, str], bytes]:
        timing = self.api.timing
        with (
            transport.deadline(timing.answer),
            self.api.session.request(
                request.method,
                self.api.url + request.path,
                params=request.params,
                json=request.json_body,
                headers=request.headers,
                timeout=(transport.CONNECT_SECONDS, timing.silence),
                stream=True,
                allow_redirects=False,
            ) as response,
        ):
            success = 200 <= response.status_code < 300
            most = _MOST_BYTES_OF_A_PAGE if request.rows > FEWEST_ROWS else _MOST_BYTES
            content = transport.body(response, most) if success else transport.error_body(response)
            return response.status_code, response.headers, content


def _expect_list(body: Any) -> Body:
    rows = expect_object(body).get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Retry("answered JSON without a list of objects in `data`")
    return dict(body)
