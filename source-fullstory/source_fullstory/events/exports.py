"""Segment exports: order one, wait for it, download it.

https://developer.fullstory.com, "Create segment export", "Get operation", "Get export results". An export is ordered
by a POST, and is an operation until it is done; then its results name a signed address, which lives some five minutes.
The export itself lives about a week.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import requests

from source_fullstory import epochs
from source_fullstory.files.download import Download
from source_fullstory.files.space import Share
from source_fullstory.files.spool import Spool
from source_fullstory.http import errors
from source_fullstory.http.api import Answered, Client
from source_fullstory.kit.answers import Body
from source_fullstory.kit.retry import GivenUp
from source_fullstory.rows.unpack import NotRows

_PAUSE_GROWTH = 1.3
_LONGEST_SECONDS = 6 * 3600.0
_MADE = frozenset({"COMPLETED", "COMPLETE"})
_NOT_MADE = frozenset({"FAILED", "CANCELLED", "CANCELED"})
"""Three states are documented, and an endpoint to cancel; how that is called then is not."""
_LOG_SECONDS = 30.0

logger = logging.getLogger("airbyte")


class ExportFailed(Exception):
    """FullStory could not make this export, or it does not arrive whole: a smaller one may."""


class ExportLost(Exception):
    """FullStory does not know the operation or its results (any more): order it again."""


def order_body(kind: str, segment_id: str, start: int, stop: int) -> Body:
    """For POST /segments/v1/exports. Both ranges are the same, as the documentation says for bulk exports: the segment
    alone would bring its own range, for `everyone` the last 30 days. Start is inclusive, end exclusive."""
    span = {"start": epochs.to_text(start), "end": epochs.to_text(stop)}
    return {
        "segmentId": segment_id,
        "type": kind,
        "format": "FORMAT_NDJSON",
        "timeRange": span,
        "segmentTimeRange": span,
    }


def operation_id(answer: Mapping[str, Any]) -> str:
    """Of the answer to an order. Raises ExportFailed if it has none."""
    found = answer.get("operationId") or answer.get("operation_id") or answer.get("id")
    if not found:
        raise ExportFailed(f"FullStory answered the order without an operation ({errors.explain(answer)})")
    return str(found)


def wait_for(client: Client, operation: str, what: str) -> str:
    """The id of the export, once it is made. Raises ExportFailed, ExportLost, and as Client.get does."""
    timing = client.api.timing
    progress, pause = _Progress(timing.stuck), timing.first_poll
    told = time.monotonic()
    while True:
        try:
            answer = client.get(f"/operations/v1/{in_path(operation)}")
        except errors.FullStoryError as error:
            raise ExportLost(str(error)) from error
        state = str(answer.get("state")).upper()
        if state in _MADE:
            return _export_id(answer)
        if state in _NOT_MADE:
            raise ExportFailed(f"FullStory says: {_reason(answer)}")
        progress.note(answer)
        if progress.is_stuck():
            _cancel(client, operation)
            raise ExportFailed(f"it is stuck, {progress}")
        if time.monotonic() - told >= _LOG_SECONDS:
            told = time.monotonic()
            logger.info(f"{client.stream}: {what} is {progress}")
        client.pause(pause)
        pause = min(pause * _PAUSE_GROWTH, timing.longest_poll)


class _Progress:
    """How far an operation has come, and since when it has not come further."""

    def __init__(self, stuck_seconds: float) -> None:
        self._stuck_seconds = stuck_seconds
        self._began = self._moved = time.monotonic()
        self._most = -1.0
        self._steps: set[str] = set()

    def note(self, answer: Mapping[str, Any]) -> None:
        done, step = _percent(answer), str(answer.get("step"))
        if done > self._most or step not in self._steps:
            self._moved = time.monotonic()
        self._most = max(self._most, done)
        self._steps.add(step)

    def is_stuck(self) -> bool:
        now = time.monotonic()
        return now - self._moved > self._stuck_seconds or now - self._began > _LONGEST_SECONDS

    def __str__(self) -> str:
        return f"{self._most:.0f} % done after {time.monotonic() - self._began:,.0f} s"


def download(client: Client, export: str, what: str, share: Share, columns: Collection[str]) -> Spool:
    """The export, whole, with rows that have some of `columns`. Each try asks for a fresh address. Raises ExportFailed,
    ExportLost, NotRows, NoRoom, Stopped, and AirbyteTracedException."""
    endpoint = f"/search/v1/exports/{in_path(export)}/results"

    def send(silence: float) -> requests.Response:
        location = client.get(endpoint).get("location")
        if not location:
            raise ExportLost(f"{endpoint} names no location")
        return client.api.open_location(str(location), silence)

    file = Download(client, what, "storage", send, share)

    def attempt(answered: Answered) -> Spool:
        return file.attempt(answered, partial(_expect_rows, columns), lines=True)

    try:
        return client.persist(f"the download of {what}", client.api.storage, attempt)
    except errors.FullStoryError as error:
        raise ExportLost(str(error)) from error
    except GivenUp as given_up:
        raise ExportFailed(f"its download {given_up}") from given_up


def _expect_rows(columns: Collection[str], spool: Spool) -> None:
    """Raises NotRows if no row has any field that rows have: then it is, say, an error object."""
    rows = next(spool.batches(), [])
    if rows and not any(name in columns for row in rows for name in row):
        raise NotRows("holds objects, but no rows")


def fetch(
    client: Client, operation: str, what: str, share: Share, columns: Collection[str], *, is_new: bool = False
) -> Spool:
    """Wait for the export, and download it. One that was just ordered is not looked at at once: it cannot be ready,
    and its operation has to be in the state before anything goes on."""
    if is_new:
        client.pause(client.api.timing.first_poll)
    return download(client, wait_for(client, operation, what), what, share, columns)


def in_path(id_: str) -> str:
    """An id as a part of a path: nothing promises that ids hold only characters that need no quoting."""
    return quote(id_, safe="")


def _export_id(answer: Mapping[str, Any]) -> str:
    results = answer.get("results")
    named = results if isinstance(results, Mapping) else {}
    found = named.get("searchExportId") or named.get("search_export_id")
    if not found:
        raise ExportLost("the operation is complete, and names no export")
    return str(found)


def _percent(answer: Mapping[str, Any]) -> float:
    found = answer.get("estimatePctComplete") or answer.get("estimate_pct_complete")
    return found if isinstance(found, int | float) else 0


def _reason(answer: Mapping[str, Any]) -> str:
    return errors.explain(answer.get("errorDetails") or answer.get("error_details") or "no reason")


def _cancel(client: Client, operation: str) -> None:
    """So that an order which nobody waits for takes no place in FullStory's queue."""
    with suppress(errors.FullStoryError):
        client.order_if_free(f"/operations/v1/{in_path(operation)}/cancel", {})
