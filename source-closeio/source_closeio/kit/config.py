"""Checks of what the user filled in. Each raises a config error with a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from . import times
from .errors import config_error, shortened
from .secrets import conceal


def api_key(raw: Mapping[str, Any], where: str) -> str:
    """The setting `api_key`, as it is meant: without what was copied along. `where` says where to get one."""
    typed = raw.get("api_key")
    key = typed.strip() if isinstance(typed, str) else ""
    key = key.removeprefix("Basic ").strip()
    if not key:
        raise config_error(f"The API key is missing. {where}")
    conceal(key)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise config_error("The API key holds characters that no key has. Copy it once more.")
    return key


def whole_number(raw: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """`24.0` is a whole number too: some forms write it so."""
    value = raw.get(name)
    if value is None or value == "":
        return default
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not low <= whole <= high:
        raise config_error(f"{name} is {shown(value)}. Give a whole number from {low} to {high}, or leave it out.")
    return whole


def yes_or_no(raw: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = raw.get(name)
    if value is None or value == "":
        return default
    if not isinstance(value, bool):
        raise config_error(f"{name} is {shown(value)}. Give true or false, or leave it out.")
    return value


def start_date(raw: Mapping[str, Any]) -> datetime | None:
    """The setting `start_date`, in UTC, cut to the second; None where it is empty."""
    text = raw.get("start_date")
    if text is None or text == "":
        return None
    moment = times.parse_or_none(text)
    if moment is None or moment < times.EPOCH:
        raise config_error(
            f"The start date {shown(text)} is not a date since 1970. Write it as 2025-01-01T00:00:00Z (UTC), or as "
            "2025-01-01."
        )
    return times.floor_second(moment)


def base_url(raw: Mapping[str, Any], name: str, default: str) -> str:
    """An address of the API, without a slash at its end."""
    text = raw.get(name) or default
    url = parsed_url(text) if isinstance(text, str) else None
    if url is None or url.scheme not in ("http", "https"):
        raise config_error(f"{name} is not the address of an API. Leave it out for {default}.")
    if url.auth or url.query or url.fragment:
        raise config_error(f"{name} must hold no password, no ? and no #: it is only where the API is.")
    if not is_safe(text):
        raise config_error(f"{name} must begin with https://: the API key would cross the network in clear.")
    return str(text).rstrip("/")


def is_safe(url: str) -> bool:
    """May a request go there? By https anywhere, in clear only to this machine."""
    parsed = parsed_url(url)
    if parsed is None or parsed.host is None:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and _is_loopback(parsed.host))


def parsed_url(text: str) -> Url | None:
    """The address as urllib3, which connects to it, reads it; None where others might read it differently, because of
    a backslash, a space or a control character, and where it names no host."""
    if "\\" in text or not text.isprintable() or " " in text:
        return None
    try:
        url = parse_url(text)
    except LocationParseError:
        return None
    return url if url.host else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def shown(value: Any) -> str:
    """A setting in a message: short, because what was pasted by mistake may be long, or not meant to be seen."""
    return shortened(repr(value), 60)
