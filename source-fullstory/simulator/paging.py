"""Lists in pages: tokens that mean nothing to the client, limits, and how the last page says that it is the last."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simkit.request import Request

from .errors import BadRequest

if TYPE_CHECKING:
    from .rows import Row
    from .settings import Settings


ENDS = {"empty": "", "null": None}


@dataclass(frozen=True)
class Pages:
    """How a list is paged: the parameter and the field of the token, and the sizes that a client may ask for."""

    parameter: str = "paginationToken"
    field: str = "nextPaginationToken"
    default: int = 20
    most: int | None = 100  # None: there is no `limit`, and one that is sent is ignored

    def page(self, rows: Sequence[Row], request: Request, settings: Settings) -> tuple[list[Row], dict[str, Any]]:
        """The rows of the asked page, and the field with the next token.

        A token knows the row after which it goes on; where that row is gone, or with `paging="offset"`, the place.
        """
        size = min(self._size(request), settings.page_cap or 10**9)
        start = _start(rows, request.params.get(self.parameter, ""), settings)
        page = list(rows[start : start + size])
        if start + size < len(rows):
            return page, {self.field: _token(start + size, _id(page[-1]))}
        said = settings.last_token
        return page, {self.field: ENDS[said]} if said in ENDS else {}

    def _size(self, request: Request) -> int:
        if self.most is None or "limit" not in request.params:
            return self.default
        return limit(request, self.default, self.most)


def limit(request: Request, default: int, most: int | None = None) -> int:
    """The `limit` that was asked for; what is none, or above the documented maximum, is a bad request."""
    text = request.params.get("limit", str(default))
    if not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        raise BadRequest(f"limit: {text!r} is not between 1 and {most}")
    return int(text)


def _start(rows: Sequence[Row], token: str, settings: Settings) -> int:
    if not token:
        return 0
    try:
        place, last = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise BadRequest("the page token is not valid") from error
    if settings.paging == "offset":
        return int(place)
    return next((number + 1 for number, row in enumerate(rows) if _id(row) == last), int(place))


def _token(place: int, last: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, last]).encode()).decode()


def _id(row: Row) -> str:
    return str(row.get("id") or json.dumps(row, sort_keys=True))
