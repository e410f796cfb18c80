"""What the user filled in, checked and with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from source_closeio.kit import times
from source_closeio.kit.config import api_key, base_url, start_date, whole_number, yes_or_no

DEFAULT_URL = "https://api.close.com/api/v1/"


@dataclass(frozen=True, slots=True)
class Config:
    """One filled-in form. Times are UTC; `start_date` None means one year before the first sync."""

    api_key: str
    start_date: datetime | None
    lookback: timedelta
    include_transcripts: bool
    mark_deleted_rows: bool
    num_workers: int
    api_url: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Config:
        """Raises AirbyteTracedException (config error) with a sentence that says what to do."""
        return cls(
            api_key=api_key(raw, "Make one in Close under Settings > Developer > API Keys."),
            start_date=start_date(raw),
            lookback=timedelta(hours=whole_number(raw, "lookback_window_hours", 24, 0, 720)),
            include_transcripts=yes_or_no(raw, "include_transcripts"),
            mark_deleted_rows=yes_or_no(raw, "mark_deleted_rows", default=True),
            num_workers=whole_number(raw, "num_workers", 8, 1, 32),
            api_url=base_url(raw, "api_url", DEFAULT_URL) + "/",
        )

    def first_start(self, now: datetime) -> datetime:
        """Where a first sync begins: the start date, to the second, or a year before now."""
        if self.start_date:
            return self.start_date
        import pendulum  # here, because it is needed once a sync, and would slow every start

        return times.floor_second(datetime.fromtimestamp(pendulum.instance(now).subtract(years=1).timestamp(), UTC))
