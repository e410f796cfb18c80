"""Requests to FullStory: one session with the key, one without, a limiter per endpoint, retries that end.

https://developer.fullstory.com covers authentication (the key goes verbatim after `Basic `), errors and limits.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests

from source_fullstory.config import Config
from source_fullstory.http import errors
from source_fullstory.http.rate_limit import Limiter
from source_fullstory.kit import transport
from source_fullstory.kit.answers import Body, expect_object, parsed, parsed_or_text
from source_fullstory.kit.clock import ServerClock
from source_fullstory.kit.config import is_safe, parsed_url
from source_fullstory.kit.contract import Stopped
from source_fullstory.kit.headers import retry_after
from source_fullstory.kit.retry import GivenUp, Patience, Retry, Timing, persist
from source_fullstory.kit.secrets import conceal

Params = Mapping[str, Any]
Result = TypeVar("Result")
Answered = Callable[[], None]

_MOST_BYTES = 64 * 1024 * 1024  # of one answer that is no download, unpacked
_LOG_SECONDS = 120.0  # of waiting, after which the log hears of it again
_MOST_REDIRECTS = 5
_MOST_CONNECTIONS = 64  # that are kept: more than there are threads


@dataclass(frozen=True, slots=True)
class FullStoryTiming(Timing):
    """Also how exports and downloads are waited for."""

    first_poll: float = 1.0
    """The pause before an export's operation is looked at for the first time; later ones are longer."""
    longest_poll: float = 30.0
    stuck: float = 3600.0
    """Without progress of an export; the platform ends a sync after three hours without a record or a state."""
    download: float = 2 * 3600.0
    """The longest time for one download."""
    file_silence: float = 300.0
    """The longest pause before the first byte of a file and between two pieces of it: FullStory makes files when they
    are asked for (help.fullstory.com, "Data Export"). After a silent try, twice as long ..."""
    longest_file_silence: float = 900.0
    """... but never longer than this."""
    stall: float = 120.0
    """A download that brings next to nothing in so long, beside such a pause, has stalled."""
    tell: float = 30.0
    """How often the log hears of a file that is waited for."""


TIMING = FullStoryTiming(Patience(tries=9, throttled_seconds=3600.0), answer=120.0)
ONE_TRY = Patience(tries=1, seconds=0.0)

logger = logging.getLogger("airbyte")


class Waiting(Retry):
    """What is asked for is not there yet, which is no failure: only this request waits."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem, wait, throttled=True)


class FullStoryApi:
    """What all streams share: the sessions, the limiters, and the start of the sync."""

    def __init__(self, config: Config, timing: FullStoryTiming = TIMING) -> None:
        self.config = config
        self.timing = timing
        self.clock = ServerClock("FullStory")
        self.asking_time = Lock()
        self.downloads = Limiter(config.downloads_per_minute)
        self.lists = Limiter()
        self.orders = Limiter()
        """Of segment exports."""
        self._limiters: defaultdict[str, Limiter] = defaultdict(partial(Limiter, side_by_side=True))
        self.storage = Limiter(side_by_side=True)
        conceal(config.api_key)
        self.session = _session(config.api_url, f"Basic {config.api_key}")
        self._without_key = _session(config.export_url, None)

    @property
    def sync_start(self) -> int:
        """When this sync began, in Unix seconds, by FullStory's clock."""
        return int(self.clock.sync_start.timestamp())

    def client(self, stream: str, patience: Patience | None = None) -> Client:
        """A stream's own view of the API, with its own counters and its own stop switch."""
        return Client(self, stream, patience or self.timing.patience)

    def limiter(self, path: str) -> Limiter:
        """FullStory does not say which endpoints share a limit; the first two parts of the path come close."""
        return self._limiters["/".join(path.split("/")[:3])]

    def open_bundle(self, bundle_id: int, silence: float) -> requests.Response:
        """The answer to /export/get, unread, of which each piece may take `silence` seconds. A redirect is followed,
        but the key goes to FullStory only.

        Redirects are not documented. Segment Export hands out signed addresses in Google's storage, so bundles may
        some day. Raises Retry for a redirect that leads nowhere, AirbyteTracedException for one into the clear.
        """
        url = f"{self.config.export_url}/api/v1/export/get"
        response = self.get(self.session, url, {"id": bundle_id}, silence)
        return self._follow(response, silence, own=self.config.export_url)

    def open_location(self, url: str, silence: float) -> requests.Response:
        """The answer of a signed address, unread; it never gets the key. Raises as open_bundle does, and Retry when
        the address is no longer good: it lives some five minutes (https://developer.fullstory.com, "Get export
        results")."""
        return self._follow(self._open_signed(url, self._without_key, silence), silence)

    def _follow(self, response: requests.Response, silence: float, own: str = "") -> requests.Response:
        """Where redirects lead; the key goes along to `own` only."""
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in transport.REDIRECTS:
                return response
            with response:
                location = response.headers.get("Location", "")
                url = urljoin(response.url, location) if is_readable(location) else ""
            session = self.session if _same_origin(url, own) else self._without_key
            response = self._open_signed(url, session, silence)
        response.close()
        raise Retry(f"was redirected more than {_MOST_REDIRECTS} times")

    def _open_signed(self, url: str, session: requests.Session, silence: float) -> requests.Response:
        parsed = parsed_url(url)
        if parsed is None or not is_safe(url):
            raise errors.redirected_into_the_clear(parsed and parsed.host)
        response = self.get(session, url, None, silence)
        if 400 <= response.status_code < 500 and response.status_code not in transport.RETRY_STATUSES:
            response.close()
            raise Retry(f"was sent to {parsed.host}, which answered {response.status_code}")
        return response

    def get(
        self, session: requests.Session, url: str, params: Params | None = None, silence: float | None = None
    ) -> requests.Response:
        timeout = (transport.CONNECT_SECONDS, silence or self.timing.silence)
        return session.get(url, params=params, timeout=timeout, stream=True, allow_redirects=False)

    def post(self, url: str, body: Body) -> requests.Response:
        timeout = (transport.CONNECT_SECONDS, self.timing.silence)
        return self.session.post(url, json=body, timeout=timeout, stream=True, allow_redirects=False)


@dataclass(slots=True)
class Usage:
    """What a stream asked of the API so far."""

    requests: int = 0
    downloaded_bytes: int = 0
    largest_file: int = 0
    """Of those that came whole, in bytes on the wire."""
    waited_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A request's place under a limiter, for kit/retry.py."""

    limiter: Limiter
    number: int

    def refused(self, retry: Retry, seconds: float) -> bool:
        for_all = (retry.throttled or retry.wait is not None) and not isinstance(retry, Waiting)
        if for_all:
            self.limiter.refuse(seconds)
        return for_all

    def close(self) -> None:
        self.limiter.answered(self.number)


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
        exchange = self._exchange(partial(self.api.get, self.api.session, url, params), path, expect_object)
        return self._persist(path, url, self.api.limiter(path), exchange)

    def learn_clock(self) -> None:
        """Ask for anything, if the clock is not known yet, so that `api.sync_start` is by FullStory's. Any answer has
        a date, and without one ours has to do. Two have to agree before ours is corrected."""
        send = partial(self.api.get, self.api.session, f"{self.api.config.api_url}/me")
        exchange = self._exchange(send, "/me", expect_object)
        with self.api.asking_time:  # one stream for all
            for _ in range(2):
                if not self.api.clock.is_known:
                    with suppress(errors.FullStoryError, transport.TooLarge, GivenUp):
                        self.persist("/me", self.api.limiter("/me"), exchange, ONE_TRY)

    def order(self, path: str, body: Body) -> Body:
        """What FullStory answers to a POST that begins an export. Raises as `get` does."""
        url, send = self._post(path, body)
        return self._persist(path, url, self.api.orders, self._exchange(send, path, expect_object))

    def order_if_free(self, path: str, body: Body) -> Body | None:
        """Like `order`, but None at once where FullStory asks to come back later, or nothing works."""
        _, send = self._post(path, body)
        try:
            return self.persist(path, self.api.orders, self._exchange(send, path, expect_object), ONE_TRY)
        except GivenUp as given_up:
            logger.info(f"{self.stream}: {path} {given_up.problem}; going on with what was ordered before")
            return None

    def _post(self, path: str, body: Body) -> tuple[str, Callable[[], requests.Response]]:
        url = self.api.config.api_url + path
        return url, partial(self.api.post, url, body)

    def exports(self, start: int, patience: Patience | None = None) -> list[Body]:
        """One page of /export/list: bundles whose end lies after `start` (Unix seconds). Raises as `get` does."""
        path, url = "/export/list", f"{self.api.config.export_url}/api/v1/export/list"
        exchange = self._exchange(partial(self.api.get, self.api.session, url, {"start": start}), path, _expect_exports)
        return list(self._persist(path, url, self.api.lists, exchange, patience).get("exports") or [])

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
        return persist(
            take_turn=lambda: self._take_turn(what, limiter),
            attempt=lambda ticket: exchange(ticket.close),
            patience=patience or self.patience,
            pause=self.pause,
            tell=lambda problem: logger.info(f"{self.stream}: {what} {problem}"),
        )

    def _take_turn(self, what: str, limiter: Limiter) -> _Ticket:
        told = -_LOG_SECONDS
        began = time.monotonic()
        while True:
            seconds, number = limiter.take()
            if number:
                self.usage.requests += 1
                return _Ticket(limiter, number)
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
                with transport.deadline(self.api.timing.answer), send() as response:
                    success = 200 <= response.status_code < 300
                    content = transport.body(response, _MOST_BYTES) if success else transport.error_body(response)
            except transport.NETWORK_ERRORS as error:
                raise Retry(f"failed ({transport.root_cause(error)})") from error
            self.api.clock.read(response.headers)
            check_status(response, endpoint, content)
            return expect(parsed(content))

        return exchange

    def _persist(
        self,
        endpoint: str,
        url: str,
        limiter: Limiter,
        exchange: Callable[[Answered], Body],
        patience: Patience | None = None,
    ) -> Body:
        try:
            return self.persist(endpoint, limiter, exchange, patience)
        except GivenUp as failure:
            parsed = parsed_url(url)
            raise errors.given_up(self.stream, endpoint, parsed and parsed.netloc, failure) from failure


def check_status(response: requests.Response, endpoint: str, content: bytes) -> None:
    """Nothing for a success; Retry for what time may mend; else what errors.for_status makes of it."""
    status = response.status_code
    if status == 429:
        reason = f" ({errors.explain(parsed_or_text(content))})" if content.strip() else ""
        raise Retry(f"was over the limit{reason}", retry_after(response.headers), throttled=True)
    if status in transport.RETRY_STATUSES:
        raise Retry(f"answered {status}", retry_after(response.headers))
    if status in transport.REDIRECTS:
        target = parsed_url(response.headers.get("Location", ""))
        raise errors.redirected(endpoint, target and target.netloc)
    if not 200 <= status < 300:
        raise errors.for_status(status, endpoint, parsed_or_text(content))


def is_readable(location: str) -> bool:
    """Is there only one way to read this address, absolute or not? See kit/config.py."""
    return parsed_url(urljoin("https://any.host", location)) is not None if "\\" not in location else False


def _session(url: str, authorization: str | None) -> requests.Session:
    return transport.session(url, authorization, "airbyte-source-fullstory", _MOST_CONNECTIONS)


def _same_origin(url: str, other: str) -> bool:
    first, second = parsed_url(url), parsed_url(other)
    if first is None or second is None:
        return False
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


def _expect_exports(body: Any) -> Body:
    """`exports` may be null, or missing if there is nothing else: so Go writes an empty list."""
    found = expect_object(body).get("exports", ... if body else None)
    if found is not None and not (isinstance(found, list) and all(isinstance(row, dict) for row in found)):
        raise Retry(f"answered without a list of bundles ({errors.explain(body)})")
    return dict(body)
