"""What the user filled in, checked and with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import epochs

API_URL = "https://api.fullstory.com"
EU_API_URL = "https://api.eu1.fullstory.com"
EXPORT_URL = "https://export.fullstory.com"


_BUNDLES, _SEGMENT_EXPORT = "bundles", "segment_export"


@dataclass(frozen=True, slots=True)
class EventsSource:
    """How events are read. All but the method is about segment exports, by which individuals come in any case."""

    by_export: bool
    segment_id: str
    window_hours: int
    settle_hours: int
    """How long ago an event has to be to count as final."""
    lookback_hours: int


@dataclass(frozen=True, slots=True)
class Config:
    """One filled-in form. `start_date` is in Unix seconds; None means one year before the first sync."""

    api_key: str
    start_date: int | None
    events_source: EventsSource
    exclude_fields: tuple[str, ...]
    num_workers: int
    downloads_per_minute: int
    api_url: str
    export_url: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Config:
        """Raises AirbyteTracedException (config error) with a sentence that says what to do."""
        key = _api_key(raw.get("api_key"))
        return cls(
            api_key=key,
            start_date=_start_date(raw.get("start_date")),
            events_source=_events_source(raw.get("events_source") or {"method": _BUNDLES}),
            exclude_fields=_patterns(raw.get("exclude_fields")),
            num_workers=_whole_number(raw, "num_workers", 2, 1, 8),
            downloads_per_minute=_whole_number(raw, "downloads_per_minute", 2, 1, 600),
            api_url=_url(raw, "api_url", EU_API_URL if key.startswith("eu1.") else API_URL),
            export_url=_url(raw, "export_url", EXPORT_URL),
        )

    def first_start(self, now: int) -> int:
        """Where a first sync begins, in Unix seconds: the start date, or a year before now."""
        if self.start_date is not None:
            return self.start_date
        import pendulum  # here, because it is needed once a sync, and would slow every start

        return int(pendulum.from_timestamp(now).subtract(years=1).timestamp())


def is_safe(url: str) -> bool:
    """May a request go there? By https anywhere, in clear only to this machine."""
    scheme, host = _scheme_and_host(url)
    return bool(host) and (scheme == "https" or (scheme == "http" and _is_loopback(host)))


def _config_error(message: str) -> AirbyteTracedException:
    return AirbyteTracedException(message=message, internal_message=message, failure_type=FailureType.config_error)


def _api_key(text: Any) -> str:
    key = text.strip() if isinstance(text, str) else ""
    key = key.removeprefix("Basic ").strip()
    if not key:
        raise _config_error(
            "The API key is missing. Make one in FullStory under Settings > Integrations > API Keys, with the "
            "permission Architect."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise _config_error("The API key holds characters that no key has. Copy it from FullStory once more.")
    return key


def _start_date(text: Any) -> int | None:
    if text is None or text == "":
        return None
    moment = epochs.parse_or_none(text)
    if moment is None or moment < 0:
        raise _config_error(
            f"The start date {text!r} is not a date. Write it as 2025-01-01T00:00:00Z (UTC), or as 2025-01-01."
        )
    return moment


def _events_source(raw: Any) -> EventsSource:
    method = raw.get("method") if isinstance(raw, Mapping) else raw
    if method not in (_BUNDLES, _SEGMENT_EXPORT) or not isinstance(raw, Mapping):
        raise _config_error(
            f"The source of events is {method!r}. Give events_source a method, bundles or segment_export, as in "
            '{"method": "bundles"}, or leave it out for bundles.'
        )
    segment = raw.get("segment_id") or "everyone"
    if not isinstance(segment, str):
        raise _config_error(f"segment_id is {segment!r}. Give a segment's id, or leave it out for everyone.")
    return EventsSource(
        by_export=method == _SEGMENT_EXPORT,
        segment_id=segment.strip(),
        window_hours=_whole_number(raw, "window_hours", 24, 1, 24),
        settle_hours=_whole_number(raw, "settle_hours", 24, 0, 720),
        lookback_hours=_whole_number(raw, "lookback_hours", 0, 0, 720),
    )


def _patterns(names: Any) -> tuple[str, ...]:
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _config_error(
            f"exclude_fields is {names!r}. Give a list of field names or patterns, as in "
            '["UserEmail", "evt_*_authorization_str"], or leave it out.'
        )
    return tuple(names)


def _whole_number(raw: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = raw.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _config_error(f"{name} is {value!r}. Give a whole number from {low} to {high}, or leave it out.")
    return value


def _url(raw: Mapping[str, Any], name: str, default: str) -> str:
    url = str(raw.get(name) or default)
    scheme, host = _scheme_and_host(url)
    if not host or scheme not in ("http", "https"):
        raise _config_error(f"{name} {url!r} is not a URL. Leave it out for {default}.")
    if not is_safe(url):
        raise _config_error(f"{name} must begin with https://: the API key would cross the network in clear.")
    return url.rstrip("/")


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
