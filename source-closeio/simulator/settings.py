"""What the simulated Close can be told: how much data, which limits, and which reading of the documentation.

Where developer.close.com is silent or contradicts itself there is an option, so that a client can be tried
against each plausible Close.  All of it may be changed while the simulator runs, except the size of the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from simkit.settings import BaseSettings

API_KEY = "api_5hXqVm0ZkT7c1sWnE3RbYd.4Jp9uLrGv2KfQoN6xAaHiB"


def _max_limits() -> dict[str, int]:
    return {
        "activity": 100,
        "lead": 200,
        "contact": 200,
        "opportunity": 250,
        "task": 1000,
        "user": 1000,
        "custom_field": 1000,
        "": 1000,
    }


@dataclass
class Settings(BaseSettings):
    """Options of one simulator; each field is also an option of `python -m simulator`."""

    # -- the data, made once at the start -----------------------------------------------------------------
    leads: int = 40
    activities: int = 400
    tasks: int = 80
    events: int = 150
    users: int = 5
    custom_fields: int = 14  # per object type; 14 shows every kind of field once
    definitions: bool = True  # statuses, pipelines, roles, templates … : a few rows each
    days: int = 365  # how far back the data reaches
    mail_bytes: int = 0  # how much longer the two bodies of a mail are, as HTML mails are
    # -- the server ---------------------------------------------------------------------------------------
    now: datetime | None = None  # a clock that stands still; None is the real time
    api_key: str = API_KEY
    role: Literal["admin", "user", "restricted"] = "admin"  # restricted: without view_all_leads
    gzip: bool = True
    # -- offset lists -------------------------------------------------------------------------------------
    max_limits: dict[str, int] = field(default_factory=_max_limits)  # longest matching path prefix wins
    skip_cap: int = 250_000
    has_more: bool = True  # False: no list says whether there is more
    cap_wording: Literal["old", "new"] = "old"
    precision: Literal["truncate", "exact"] = "truncate"  # of date filters on activities
    threads_in_activity_list: bool = False  # documented: /activity/ has no EmailThread unless thread_emails asks
    odd_order: Literal["ignore", "400"] = "ignore"  # an _order_by that the endpoint does not know
    deleted_document: Literal["off", "once", "stay"] = "off"  # 404 for a page that would show a row just deleted
    max_ids: int = 0  # 400 above that many id__in; 0 is no limit
    answered_ids: int = 0  # an id__in of more is answered in part, without a word; 0 is no limit
    max_url: int = 0  # 414 for a longer URL; 0 is no limit.  Close advises a POST above some 2,000 characters
    archived_hidden: bool = True  # archived templates and forms are listed only if is_archived asks for them
    forbidden: dict[str, tuple[int, Any] | None] = field(default_factory=dict)  # path prefix -> (status, body)
    # -- search -------------------------------------------------------------------------------------------
    cursor_seconds: float = 30.0
    search_cap: int = 10_000
    search_precision: Literal["exact", "second"] = "exact"
    search_lag: float = 0.0  # seconds until a write can be found
    search_count: Literal["object", "total", "count", "number", "none"] = "object"  # its shape
    search_custom: Literal["flat", "nested"] = "flat"
    # -- event log ----------------------------------------------------------------------------------------
    event_log: bool = True  # False: the plan lacks it, 400
    event_days: int = 30
    event_dates_with_cursor: bool = False  # honour date_updated__* together with _cursor
    consolidate_seconds: float = 0.0  # an update this soon after another one moves its event; 0 never
    touch_leads: bool = True  # a changed child moves its lead's date_updated
    # -- rate limits: a rate of 0 is none -----------------------------------------------------------------
    rate: float = 0.0  # requests per second, per key and endpoint group
    rate_window: float = 1.0  # seconds; a bucket holds rate * rate_window
    search_rate: float | None = None  # None: four fifths of rate, as observed
    organization_factor: float = 3.0
    algorithm: Literal["window", "token"] = "window"
    rate_headers: Literal["both", "combined", "family", "none"] = "both"
    rate_separator: Literal[",", ";"] = ","
    throttle_shape: Literal["header", "flat", "nested", "string", "text"] = "header"
    retry_after: bool = True

    @classmethod
    def empty(cls, **changes: Any) -> Settings:
        """An organization with one user and nothing else: for tests that add their own rows."""
        nothing: dict[str, Any] = {
            "leads": 0,
            "activities": 0,
            "tasks": 0,
            "events": 0,
            "users": 1,
            "custom_fields": 0,
            "definitions": False,
        }
        return cls(**(nothing | changes))

    def __setattr__(self, name: str, value: object) -> None:
        text = name == "now" and isinstance(value, str)
        super().__setattr__(name, datetime.fromisoformat(str(value)) if text else value)

    def longest(self, table: dict[str, Any], path: str) -> Any | None:
        """The value of the longest prefix of the path in a table, or None."""
        prefixes = [key for key in table if path == key or path.startswith(key + "/") or not key]
        return table[max(prefixes, key=len)] if prefixes else None
