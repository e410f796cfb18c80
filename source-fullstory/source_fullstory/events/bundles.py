"""Bundles as FullStory lists them.

https://developer.fullstory.com, "List event exports": completed bundles only, "the first 20 data export bundles whose
end time is after the given start parameter (sorted from oldest to newest)", and no parameter but `start`. Public
clients rely on "after" being strict and on 20 a page; here neither is relied on, nor is the order in a page.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import epochs
from source_fullstory.events.coverage import Span
from source_fullstory.http.api import ONE_TRY, Client
from source_fullstory.http.errors import FullStoryError

_FULL_PAGE = 20
_MOST_PAGES = 20_000

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """The events of [start, stop), in Unix seconds. Bundles are read in this order: by stop, start, id.

    All known ids are start * 100 + length in half hours, but no page promises that, or any order of ids.
    """

    stop: int
    start: int
    id: int

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Bundle:
        """Reads `{"Id": 1, ...}` of the documentation's example and `{"id": "1", ...}` of its schema."""
        named = {name.lower(): value for name, value in row.items()}
        try:
            return cls(stop=int(named["stop"]), start=int(named["start"]), id=int(named["id"]))
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable("FullStory lists a bundle without a readable id, start and stop") from error

    @property
    def period(self) -> int:
        """Its length in seconds."""
        return self.stop - self.start

    def __str__(self) -> str:
        return f"bundle {self.id} ({epochs.to_text(self.start)} to {epochs.to_text(self.stop)})"


def list_bundles(client: Client, start: int, until: int | None = None) -> list[Bundle]:
    """All bundles that end after `start`, oldest first; with `until`, paging ends once one ends after that.

    A page may be cut in the middle of bundles that share one stop, so each call asks once more for the stop that
    the last one ended with, and only when that brings nothing new goes past it. Nothing new past it: the end,
    whether the page is empty, or FullStory repeats itself.
    """
    found: dict[int, Bundle] = {}
    newest = at = start
    for _ in range(_MOST_PAGES):
        page = [Bundle.parse(row) for row in client.exports(at)]
        new = [bundle for bundle in page if bundle.stop > start and bundle.id not in found]
        found.update((bundle.id, bundle) for bundle in new)
        if new:
            newest = max(newest, *(bundle.stop for bundle in new))
            if until is not None and newest > until:
                break
            at = newest - 1
        elif not page or at >= newest:
            break
        else:
            _warn_of_plateau(page, newest)
            at = newest
    else:
        raise _unreadable(f"FullStory's list of bundles does not end: {_MOST_PAGES} pages after {start} were not all")
    return sorted(found.values())


def list_around(client: Client, spans: Iterable[Span]) -> list[Bundle]:
    """The bundles that end within any of `spans` (oldest first) or shortly after it, oldest first. Where one listing
    has come far enough, it serves the spans that follow, too."""
    found: set[Bundle] = set()
    reached = 0
    for start, stop in spans:
        if reached >= stop:
            continue
        # Not from where the last page ended, which may have been cut in the middle of one stop.
        found.update(list_bundles(client, max(start, reached - 1), until=stop))
        reached = max((bundle.stop for bundle in found), default=0)
        if reached <= stop:
            break  # the list ends there
    return sorted(found)


def oldest_start(client: Client) -> int | None:
    """When the oldest bundle begins; None where the account has no bundles, or nothing tells."""
    try:
        return min((Bundle.parse(row).start for row in client.exports(0, ONE_TRY)), default=None)
    except (FullStoryError, AirbyteTracedException):
        return None


def _warn_of_plateau(page: list[Bundle], stop: int) -> None:
    """A full page of one stop, the newest that is known: there may be more of them, and no call would show them."""
    if len(page) >= _FULL_PAGE and all(bundle.stop == stop for bundle in page):
        logger.warning(
            f"FullStory lists {len(page)} bundles that all end at {epochs.to_text(stop)}, which is as many as it shows "
            "in one answer. If there are more, nothing can show them: ask FullStory's support."
        )


def _unreadable(problem: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"{problem}. Please report this to the maker of this connector, and ask "
        "FullStory's support what is the matter with the account's Data Export.",
        internal_message=problem,
        failure_type=FailureType.system_error,
    )
