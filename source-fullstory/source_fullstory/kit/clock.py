"""The time by the server's clock, as Date headers tell it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock

from .headers import parsed_date

_TOLERANCE = timedelta(seconds=5)
_AGREEMENT = timedelta(seconds=60)
_MOST = timedelta(days=1)
"""A wrong header must not move a sync by more: a clock that is off by more than a day is rarer than a proxy that
answers with the date of a cached page."""

logger = logging.getLogger("airbyte")


class ServerClock:
    """When the sync began, by the server's clock. Thread-safe.

    State never passes the start of the sync, so a clock that runs ahead would skip rows that the server dates between
    its now and ours, and one that runs behind would take what is late for missing. Two answers in a row have to agree
    before ours is corrected; beyond a day it is not, and the log warns.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._lock = Lock()
        self._start = datetime.now(UTC)
        self._offset = timedelta(0)  # the server's clock minus ours
        self._first: timedelta | None = None
        self._known = False
        self._too_far = False

    @property
    def sync_start(self) -> datetime:
        return self._start + self._offset

    @property
    def is_known(self) -> bool:
        """Have the answers told all they can?"""
        return self._known

    @property
    def disagrees(self) -> bool:
        """Is one of the two clocks so wrong that neither can be gone by?"""
        return self._too_far

    def read(self, headers: Mapping[str, str]) -> None:
        """Take in one answer's Date. Dates are whole seconds, so they seem up to a second old."""
        if self._known:
            return
        date = parsed_date(headers.get("Date", ""))
        if date is None:
            return
        with self._lock:
            if not self._known:
                self._compare(date - datetime.now(UTC))

    def _compare(self, offset: timedelta) -> None:
        if abs(offset) <= _TOLERANCE:
            self._known = True
        elif self._first is None or abs(offset - self._first) > _AGREEMENT:
            self._first = offset
        else:
            self._known = True
            self._correct(offset)

    def _correct(self, offset: timedelta) -> None:
        ours = f"This machine's clock is {abs(offset)} {'behind' if offset > timedelta(0) else 'ahead of'}"
        if abs(offset) > _MOST:
            self._too_far = True
            logger.warning(f"{ours} {self._server}'s, says its Date header. That is too much to go by: set the clock.")
            return
        logger.warning(f"{ours} {self._server}'s; going by {self._server}'s.")
        self._offset = offset
