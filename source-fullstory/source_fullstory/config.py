"""What the user filled in, checked and with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from source_fullstory.kit.config import api_key, base_url, shown, start_date, whole_number
from source_fullstory.kit.errors import config_error

API_URL = "https://api.fullstory.com"
EU_API_URL = "https://api.eu1.fullstory.com"
EXPORT_URL = "https://export.fullstory.com"
_WHERE_KEYS_ARE = "Make one in FullStory under Settings > Integrations > API Keys, with the permission Architect."
_REGIONS = {"automatic": "", "united states": API_URL, "europe": EU_API_URL}
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
        key = api_key(raw, _WHERE_KEYS_ARE)
        moment = start_date(raw)
        return cls(
            api_key=key,
            start_date=int(moment.timestamp()) if moment else None,
            events_source=_events_source(raw.get("events_source") or {"method": _BUNDLES}),
            exclude_fields=_patterns(raw.get("exclude_fields")),
            num_workers=whole_number(raw, "num_workers", 2, 1, 8),
            downloads_per_minute=whole_number(raw, "downloads_per_minute", 2, 1, 600),
            api_url=base_url(raw, "api_url", _region(raw.get("region")) or _region_of(key)),
            export_url=base_url(raw, "export_url", EXPORT_URL),
        )

    def first_start(self, now: int) -> int:
        """Where a first sync begins, in Unix seconds: the start date, or a year before now."""
        if self.start_date is not None:
            return self.start_date
        import pendulum  # here, because it is needed once a sync, and would slow every start

        return int(pendulum.from_timestamp(now).subtract(years=1).timestamp())


def _region(name: Any) -> str:
    """Where the API of that region is; "" for automatic."""
    found = _REGIONS.get(str(name or "automatic").strip().lower())
    if found is None:
        raise config_error(f"The region is {name!r}. Give Automatic, United States or Europe, or leave it out.")
    return found


def _region_of(key: str) -> str:
    """Newer keys begin with their region, `na1.` or `eu1.`; those without are of the United States, unless told."""
    return EU_API_URL if key.startswith("eu1.") else API_URL


def _events_source(raw: Any) -> EventsSource:
    method = raw.get("method") if isinstance(raw, Mapping) else raw
    if method not in (_BUNDLES, _SEGMENT_EXPORT) or not isinstance(raw, Mapping):
        raise config_error(
            f"The source of events is {shown(method)}. Give events_source a method, bundles or segment_export, as in "
            '{"method": "bundles"}, or leave it out for bundles.'
        )
    segment = raw.get("segment_id") or "everyone"
    if not isinstance(segment, str):
        raise config_error(f"segment_id is {shown(segment)}. Give a segment's id, or leave it out for everyone.")
    return EventsSource(
        by_export=method == _SEGMENT_EXPORT,
        segment_id=segment.strip(),
        window_hours=whole_number(raw, "window_hours", 24, 1, 24),
        settle_hours=whole_number(raw, "settle_hours", 24, 0, 720),
        lookback_hours=whole_number(raw, "lookback_hours", 0, 0, 720),
    )


def _patterns(names: Any) -> tuple[str, ...]:
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise config_error(
            f"exclude_fields is {shown(names)}. Give a list of field names or patterns, as in "
            '["UserEmail", "evt_*_authorization_str"], or leave it out.'
        )
    return tuple(names)
