"""Lists of the API, a page at a time.

https://developer.fullstory.com: each answer holds a token for the next page. How it is spelled depends on the
endpoint, and in places the documentation's example and schema disagree, so every spelling is understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.http import errors
from source_fullstory.http.api import Body, Client, Params
from source_fullstory.kit.contract import Page
from source_fullstory.rows.spelling import bare

_NEXT = ("nextPaginationToken", "next_pagination_token", "next_page_token", "nextPageToken")
_ASKED = ("paginationToken", "pagination_token", "page_token", "pageToken")
_MOST_EMPTY_PAGES = 100
_MOST_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list is asked for: where its `rows` stand, what its page `token` is called, how many rows (`limit`) to
    ask for; 0 where there is no such parameter."""

    rows: str
    token: str = ""
    limit: int = 0


def fetch_page(client: Client, path: str, listing: Listing, params: Params) -> tuple[Page, str]:
    """One page, and the token of the next one ("" at the end). Raises as Client.get does."""
    body = client.get(path, params)
    return _rows(client, path, body, listing.rows), str(next((body[name] for name in _NEXT if body.get(name)), ""))


def pages(client: Client, path: str, listing: Listing, params: Params) -> Iterator[Page]:
    """All pages of the list. A row that moved from one page to the next while they were read comes once.

    A server that does not know a parameter ignores it, and would give the first page for ever: then the token is
    sent under its other names. Raises AirbyteTracedException if none of them brings another page.
    """
    asked = {**params, "limit": listing.limit} if listing.limit else params
    try:
        rows, token = fetch_page(client, path, listing, asked)
    except errors.Refused:
        if asked is params:
            raise
        asked = params  # smaller pages, of a server that does not take the documented limit
        rows, token = fetch_page(client, path, listing, asked)
    yield rows
    names = [*dict.fromkeys(name for name in (listing.token, *_ASKED) if name)]
    first = before = set(map(_text, rows))
    empty = again = 0
    while token:
        if not names or empty > _MOST_EMPTY_PAGES:
            raise _endless(path)
        rows, following = fetch_page(client, path, listing, {**asked, names[0]: token})
        texts = set(map(_text, rows))
        # A list that grew by a page meanwhile gives its first page once more, too.
        again = again + 1 if rows and texts == first else 0
        if following == token or again == _MOST_REPEATS:
            names.pop(0)
            again = 0
            continue
        yield [row for row in rows if _text(row) not in before]
        empty = 0 if rows else empty + 1
        before, token = texts, following


def _rows(client: Client, path: str, body: Body, name: str) -> Page:
    """The rows; Go, which FullStory is written in, writes an empty list as null, or leaves it out."""
    rows = next((value for field, value in body.items() if bare(field) == bare(name)), None)
    if rows is None and not any(isinstance(value, list | dict) for value in body.values()) and "code" not in body:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AirbyteTracedException(
            message=f"FullStory's answer to {path} for stream {client.stream} has no list `{name}` "
            f"({errors.explain(body)}). Run the sync again; if it stays so, please report it.",
            internal_message=f"{path} without {name}",
            failure_type=FailureType.transient_error,
        )
    return rows


def _text(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row)


def _endless(path: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"FullStory's list {path} gives the same page for ever, so it cannot be read whole. Please report "
        "this: FullStory seems to have changed its API.",
        internal_message=f"{path} does not page",
        failure_type=FailureType.system_error,
    )
