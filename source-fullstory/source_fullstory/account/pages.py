"""Lists of the API, a page at a time.

https://developer.fullstory.com: each answer holds a token for the next page. How it is spelled depends on the
endpoint, and in places the documentation's example and schema disagree, so every spelling is understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.http import errors
from source_fullstory.http.api import Client, Params
from source_fullstory.kit.answers import Body
from source_fullstory.kit.contract import Page
from source_fullstory.kit.errors import system_error, transient_error
from source_fullstory.kit.json_text import dump_line
from source_fullstory.rows.spelling import bare

_NEXT = ("nextPaginationToken", "next_pagination_token", "next_page_token", "nextPageToken")
_ASKED = ("paginationToken", "pagination_token", "page_token", "pageToken")
_MOST_EMPTY_PAGES = 100
_MOST_REPEATS = 3

Found = tuple[Page, str]
"""The rows of a page, and the token of the next one ("" at the end)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list is asked for: where its `rows` stand, what its page `token` is called, how many rows (`limit`) to
    ask for; 0 where there is no such parameter."""

    rows: str
    token: str = ""
    limit: int = 0


def pages(client: Client, path: str, listing: Listing, params: Params, token: str = "") -> Iterator[Found]:
    """All pages of the list, from the one with this token on. A row that moved from one page to the next while they
    were read comes once.

    A server that does not know a parameter ignores it, and would give the first page for ever: then the token is
    sent under its other names. Raises as Client.get does, and AirbyteTracedException if no name brings another page.
    """
    walk = _Walk(client, path, listing, params)
    rows, token = walk.first(token)
    yield rows, token
    while token:
        rows, token = walk.next(token)
        yield rows, token


class _Walk:
    """What is remembered from one page to the next."""

    def __init__(self, client: Client, path: str, listing: Listing, params: Params) -> None:
        self._client = client
        self._path = path
        self._listing = listing
        self._plain = params
        self._asked = {**params, "limit": listing.limit} if listing.limit else params
        self._names = [*dict.fromkeys(name for name in (listing.token, *_ASKED) if name)]
        self._first: set[bytes] = set()
        self._before: set[bytes] = set()
        self._empty = self._again = 0

    def first(self, token: str) -> Found:
        begin = {self._names[0]: token} if token else {}
        try:
            rows, following = self._fetch(begin)
        except errors.Refused:
            if self._asked is self._plain:
                raise
            self._asked = self._plain  # smaller pages, of a server that does not take the documented limit
            rows, following = self._fetch(begin)
        self._first = self._before = set(map(dump_line, rows))
        return rows, following

    def next(self, token: str) -> Found:
        while self._names and self._empty <= _MOST_EMPTY_PAGES:
            rows, following = self._fetch({self._names[0]: token})
            texts = set(map(dump_line, rows))
            if self._is_ignored(texts, token, following):
                self._names.pop(0)
                continue
            self._empty = 0 if rows else self._empty + 1
            before, self._before = self._before, texts
            return [row for row in rows if dump_line(row) not in before], following
        raise _endless(self._path)

    def _is_ignored(self, texts: set[bytes], token: str, following: str) -> bool:
        """Does the server not know the token by this name? A list that grew by a page meanwhile gives its first page
        once more, too."""
        self._again = self._again + 1 if texts and texts == self._first else 0
        is_ignored = following == token or self._again == _MOST_REPEATS
        self._again = 0 if is_ignored else self._again
        return is_ignored

    def _fetch(self, more: Params) -> Found:
        body = self._client.get(self._path, {**self._asked, **more})
        rows = _rows(self._client, self._path, body, self._listing.rows)
        return rows, str(next((body[name] for name in _NEXT if body.get(name)), ""))


def _rows(client: Client, path: str, body: Body, name: str) -> Page:
    """The rows; Go, which FullStory is written in, writes an empty list as null, or leaves it out."""
    rows = next((value for field, value in body.items() if bare(field) == bare(name)), None)
    if rows is None and not any(isinstance(value, list | dict) for value in body.values()) and "code" not in body:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise transient_error(
            f"FullStory's answer to {path} for stream {client.stream} has no list `{name}` ({errors.explain(body)}). "
            "Run the sync again; if it stays so, please report it.",
            f"{path} without {name}",
        )
    return rows


def _endless(path: str) -> AirbyteTracedException:
    return system_error(
        f"FullStory's list {path} gives the same page for ever, so it cannot be read whole. Please report this: "
        "FullStory seems to have changed its API.",
        f"{path} does not page",
    )
