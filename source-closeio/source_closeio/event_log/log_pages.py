"""The pages of the event log (https://developer.close.com/api/resources/events): newest first, 50 a page, 30 days back.

`date_updated` bounds only the first page for certain; with a `_cursor` Close may ignore it. So whoever walks drops rows
outside their window and stops when a whole page is older.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from source_closeio.http.api import Client, Params
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit import times
from source_closeio.kit.answers import Body
from source_closeio.kit.contract import Page
from source_closeio.paging.ids import prove_ids
from source_closeio.paging.pages import fitting
from source_closeio.paging.windows import Window

EVENTS_A_PAGE = 50
HISTORY = timedelta(days=30)
LATE = timedelta(minutes=5)
"""So late an event may still appear or move, as Close says."""
EVENTS = "event/"
_KEY = "date_updated"


def oldest_event(now: datetime) -> datetime:
    return times.floor_second(now - HISTORY)


def is_offered(client: Client) -> bool:
    """Whether the plan and the role give an event log."""
    try:
        client.get_list(EVENTS, {"_limit": 1})
    except (Refused, Missing, NotOffered):
        return False
    return True


def log_pages(client: Client, window: Window) -> Iterator[Page]:
    """Pages down from the window's end. Raises NotOffered if the plan has no event log (Close answers 400)."""
    body = _first_page(client, window)
    cursors: set[str] = set()
    while True:
        prove_ids(body["data"], EVENTS)
        yield body["data"]
        cursor = str(body.get("cursor_next") or "")
        if not cursor or not body["data"]:
            return
        if cursor in cursors:
            raise Refused(200, f"GET /{EVENTS}", "the same cursor twice, which would never end")
        cursors.add(cursor)
        body = _next_page(client, cursor, body["data"])


def _first_page(client: Client, window: Window) -> dict[str, Any]:
    bounds = {f"{_KEY}__gte": window.start, f"{_KEY}__lt": window.end}
    params = {name: times.to_text(bound) for name, bound in bounds.items() if bound}
    try:
        return _page(client, params)
    except (Refused, Missing) as refusal:
        if is_offered(client):  # Close dislikes how it was asked
            raise
        raise NotOffered(refusal.status, refusal.endpoint, refusal.text) from refusal


def _next_page(client: Client, cursor: str, page: Page) -> dict[str, Any]:
    """How long a cursor lives is not documented: where it is refused, the walk goes on by time."""
    try:
        return _page(client, {"_cursor": cursor})
    except Refused:
        first, last = page[0].get(_KEY), page[-1].get(_KEY)
        if first == last:  # nothing older would be reached
            raise
        return _page(client, {f"{_KEY}__lte": times.to_text(times.parse(str(last)))})


def _page(client: Client, params: Params) -> Body:
    return fitting(client, EVENTS, EVENTS_A_PAGE, lambda size: client.get_list(EVENTS, {"_limit": size, **params}))[0]
