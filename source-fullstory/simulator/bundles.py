"""Data Export bundles: what there is, what is complete, and in which pages it is listed."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rows import EventSource
    from .settings import Encoding, Settings, Style

HALF_HOUR = 1800
Moment = int | str | datetime


@dataclass
class Bundle:
    """The events of [start, stop), Unix seconds, under one id. What is None follows the settings."""

    id: int
    start: int
    stop: int
    events: EventSource
    available_at: float | None = None
    encoding: Encoding | None = None
    style: Style | None = None
    downloads: int = 0

    def listed_at(self, settings: Settings) -> float:
        """When it becomes complete: a day after its stop, unless it was told otherwise."""
        return self.stop + settings.listing_lag if self.available_at is None else self.available_at

    def is_listed(self, settings: Settings, now: float) -> bool:
        """Whether the API shows and delivers it at `now`: complete, and within the account's retention."""
        kept = settings.retention_days is None or self.stop > now - settings.retention_days * 86_400
        return kept and now >= self.listed_at(settings)


def epoch(moment: Moment) -> int:
    """Unix seconds from seconds, a datetime or ISO 8601 text; without a zone it is UTC."""
    if isinstance(moment, int):
        return moment
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def bundle_id(start: int, stop: int) -> int:
    """The id that all publicly known bundles have: start * 100 + length in half hours (not documented)."""
    return start * 100 + (stop - start) // HALF_HOUR


class Shelf:
    """All bundles, safe to change while requests are being answered."""

    def __init__(self) -> None:
        self._bundles: dict[int, Bundle] = {}
        self._lock = threading.Lock()

    def add(self, bundle: Bundle) -> None:
        """Put it on the shelf; an id that is taken raises."""
        with self._lock:
            if bundle.id in self._bundles:
                raise ValueError(f"there is a bundle {bundle.id} already")
            self._bundles[bundle.id] = bundle

    def remove(self, key: int) -> Bundle:
        """Take it off the shelf."""
        with self._lock:
            return self._bundles.pop(key)

    def get(self, key: int) -> Bundle:
        """The bundle of that id, or KeyError."""
        with self._lock:
            return self._bundles[key]

    def all(self) -> list[Bundle]:
        """Oldest stop first, listed or not."""
        with self._lock:
            return sorted(self._bundles.values(), key=lambda b: (b.stop, b.start, b.id))

    def page(self, start: int | None, settings: Settings, now: float) -> list[Bundle]:
        """What one call to `/export/list` returns.

        "The first 20 data export bundles whose end time is after the given start parameter (sorted from oldest to
        newest)"; only completed ones (developer.fullstory.com, "List event exports"). Without `start` it begins with
        the oldest.
        """
        if settings.hide_bundles:
            return []
        listed = [bundle for bundle in self.all() if bundle.is_listed(settings, now)]
        found = [b for b in listed if start is None or b.stop > start - settings.inclusive_start]
        if not found and settings.repeat_last_page:
            found = listed[-settings.page_size :]
        return _arranged(found[: settings.page_size], settings)


def _arranged(page: list[Bundle], settings: Settings) -> list[Bundle]:
    if settings.order == "reversed":
        return page[::-1]
    if settings.order == "shuffled":
        random.Random(settings.seed).shuffle(page)
    return page
