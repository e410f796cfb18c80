"""People, as a segment export of TYPE_INDIVIDUAL has them: one row each, added up from their events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .moments import BEFORE_ALL, stamp_of
from .rows import Row, decode, instant

if TYPE_CHECKING:
    from .rows import Dated
    from .segments import Segment
    from .selection import Selection

LAST = {
    "LastPage": "PageUrl",
    "LastIp": "PageIp",
    "LastLatLong": "PageLatLong",
    "LastBrowser": "PageBrowser",
    "LastDevice": "PageDevice",
    "LastPlatform": "PagePlatform",
    "LastOperatingSystem": "PageOperatingSystem",
}
Event = tuple[int, Row]


def individuals(
    selection: Selection, start: int, stop: int, segment: Segment, all_until: int | None = None
) -> Iterator[Row]:
    """Those with events in [start, stop), by their first event.

    Whether their numbers are of that span or of all time is not documented; `all_until` makes them of all time until
    then.
    """
    inside = _people(selection.events(start, stop), segment)
    whole = inside if all_until is None else _people(selection.events(BEFORE_ALL, all_until), segment)
    for person in inside:
        yield _individual(person, whole[person])


def _people(events: Iterator[Dated], segment: Segment) -> dict[int, list[Event]]:
    people: dict[int, list[Event]] = defaultdict(list)
    for at, raw in events:
        row = decode(raw)
        if row.get("IndvId") is not None and segment.has(row):
            people[row["IndvId"]].append((at, row))
    return people


def _individual(person: int, events: list[Event]) -> Row:
    sessions: dict[object, dict[object, Row]] = defaultdict(dict)
    for _, row in events:
        sessions[row.get("UserId"), row.get("SessionId")][row.get("PageId")] = row
    last_at, last = events[-1]
    newest = sessions.pop((last.get("UserId"), last.get("SessionId")))
    pages = [*sessions.values(), newest]
    seconds = [_seconds(each, "PageDuration") for each in pages]
    active = [_seconds(each, "PageActiveDuration") for each in pages]
    same = [row for _, row in events if row.get("SessionId") == last.get("SessionId")]
    at_start = instant(same[0].get("SessionStart"))
    total = len(pages)
    known = {name: value for _, row in events for name, value in row.items() if name[:4] in {"User", "user"}}
    return {
        "IndvId": person,
        "Created": known.get("UserCreated") or stamp_of(events[0][0]),
        "Uid": known.get("UserAppKey") or "",
        "DisplayName": known.get("UserDisplayName") or "",
        "Email": known.get("UserEmail") or "",
        "NumSessions": total,
        "NumPages": sum(map(len, pages)),
        "NumEvents": len(events),
        "TotalSec": sum(seconds),
        "ActiveSec": sum(active),
        "AvgSessionSec": sum(seconds) // total,
        "AvgSessionActiveSec": sum(active) // total,
        "MaxSessionSec": max(seconds),
        "LastSessionNumPages": len(newest),
        "LastSessionNumEvents": len(same),
        "LastSessionSec": seconds[-1],
        "LastSessionActiveSec": active[-1],
        "LastSessionStart": stamp_of(last_at if at_start is None else at_start),
        "LastEventStart": last["EventStart"],
        **{name: last[source] for name, source in LAST.items() if last.get(source) is not None},
        **{name: value for name, value in known.items() if name.startswith("user_")},
    }


def _seconds(pages: dict[object, Row], name: str) -> int:
    return sum(value for row in pages.values() if isinstance(value := row.get(name), int)) // 1000
