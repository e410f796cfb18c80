"""What the user filled in, checked and with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.kit import times

DEFAULT_URL = "https://api.close.com/api/v1/"


@dataclass(frozen=True, slots=True)
class Config:
    """One filled-in form. Times are UTC; `start_date` None means one year before the first sync."""

    api_key: str
    start_date: datetime | None
    lookback: timedelta
    include_transcripts: bool
    num_workers: int
    api_url: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Config:
        """Raises AirbyteTracedException (config error) with a sentence that says what to do."""
        key = raw.get("api_key")
        if not isinstance(key, str) or not key.strip():
            raise _config_error("The API key is missing. Make one in Close under Settings > Developer > API Keys.")
        if not key.isascii():
            raise _config_error("The API key holds characters that Close does not use. Copy it from Close once more.")
        return cls(
            api_key=key.strip(),
            start_date=_start_date(raw.get("start_date")),
            lookback=timedelta(hours=_whole_number(raw, "lookback_window_hours", 24, 0, 720)),
            include_transcripts=_yes_or_no(raw, "include_transcripts"),
            num_workers=_whole_number(raw, "num_workers", 8, 1, 32),
            api_url=_url(raw.get("api_url") or DEFAULT_URL),
        )

    def first_start(self, now: datetime) -> datetime:
        """Where a first sync begins: the start date, to the second, or a year before now."""
        if self.start_date:
            return self.start_date
        import pendulum  # here, because it is needed once a sync, and would slow every start

        return times.floor_second(datetime.fromtimestamp(pendulum.instance(now).subtract(years=1).timestamp(), UTC))


def _config_error(message: str) -> AirbyteTracedException:
    return AirbyteTracedException(message=message, internal_message=message, failure_type=FailureType.config_error)


def _start_date(text: Any) -> datetime | None:
    if text is None or text == "":
        return None
    moment = times.parse_or_none(text)
    if moment is None:
        raise _config_error(
            f"The start date {text!r} is not a date. Write it as 2025-01-01T00:00:00Z (UTC), or as 2025-01-01."
        )
    return times.floor_second(moment)


def _whole_number(raw: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = raw.get(name)
    if value is None:
        return default
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not low <= whole <= high:
        raise _config_error(f"{name} is {value!r}. Give a whole number from {low} to {high}, or leave it out.")
    return whole


def _yes_or_no(raw: Mapping[str, Any], name: str) -> bool:
    value = raw.get(name)
    if value not in (None, True, False):
        raise _config_error(f"{name} is {value!r}. Give true or false, or leave it out.")
    return bool(value)


def _url(text: Any) -> str:
    try:
        parts = urlsplit(str(text))
    except ValueError:
        parts = urlsplit("")
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise _config_error(f"The API address {text!r} is not a URL. Leave it out for {DEFAULT_URL}.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise _config_error("The API address must begin with https://: the API key would cross the network in clear.")
    return str(text).rstrip("/") + "/"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
