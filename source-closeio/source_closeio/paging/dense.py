"""Other ways to the rows of one second that holds more than `_skip` reaches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from source_closeio.http.api import Client, Params
from source_closeio.http.errors import Refused, unusable_list
from source_closeio.kit import times
from source_closeio.kit.contract import Page
from source_closeio.paging.pages import offset_pages
from source_closeio.paging.search_walk import all_leads

_LEADS_PER_REQUEST = 30  # Close advises against URLs above 2,000 characters; a lead's id has 48


def by_all_leads(client: Client, path: str, filters: Params, limit: int) -> Iterator[Page]:
    """The rows of all leads, some leads at a time."""
    leads = all_leads(client)
    while some := list(islice(leads, _LEADS_PER_REQUEST)):
        yield from by_leads(client, path, filters, limit, some)


def by_leads(client: Client, path: str, filters: Params, limit: int, leads: list[str]) -> Iterator[Page]:
    """The rows of some leads, in ever smaller groups of leads where `_skip` does not reach them all."""
    try:
        for page in offset_pages(client, path, {**filters, "lead_id": ",".join(leads)}, limit):
            if any(row.get("lead_id") not in leads for row in page):
                raise unusable_list(path, "rows of leads that were not asked for")
            yield page
    except Refused:
        if len(leads) == 1:
            raise
        half = len(leads) // 2
        yield from by_leads(client, path, filters, limit, leads[:half])
        yield from by_leads(client, path, filters, limit, leads[half:])


def by_halves(
    client: Client, path: str, filters: Params, limit: int, key: str, low: datetime, high: datetime
) -> Iterator[Page]:
    """The rows whose `key` lies in [low, high), which is halved where `_skip` does not reach them all. Raises Refused
    where a single second holds too many."""
    bounds = {f"{key}__gte": times.to_text(low), f"{key}__lt": times.to_text(high)}
    try:
        yield from offset_pages(client, path, {**filters, **bounds}, limit)
    except Refused:
        middle = times.floor_second(low + (high - low) / 2)
        if not low < middle:
            raise
        yield from by_halves(client, path, filters, limit, key, low, middle)
        yield from by_halves(client, path, filters, limit, key, middle, high)
