"""The organization's own fields: their definitions, and the columns that they become.

https://developer.close.com/api/resources/custom-fields. The lists per object type leave out shared fields, which have
a list of their own and say in `associations` what they belong to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from source_closeio.http.api import Client
from source_closeio.http.errors import CloseError, Missing, NotOffered, Refused
from source_closeio.kit.contract import Page
from source_closeio.paging.pages import offset_pages

# The shared ones first: should another list repeat one, the row that has the associations stays.
OBJECT_TYPES = ("shared", "lead", "contact", "opportunity", "activity", "custom_object_type")
CUSTOM_ACTIVITY = "custom_activity_type"
_EVERYTHING = frozenset((*OBJECT_TYPES, CUSTOM_ACTIVITY))
_LIMIT = 1000

_COLUMN_TYPES: Mapping[str, dict[str, Any]] = {
    "number": {"type": ["null", "number"]},
    "date": {"type": ["null", "string"], "format": "date"},
    "datetime": {"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
}
_TEXT = {"type": ["null", "string"]}

logger = logging.getLogger("airbyte")


def definitions(client: Client, required: Sequence[str] = ()) -> Iterator[Page]:
    """Every definition once, as Close gives it, with its `object_type`. What the plan does not offer is left out
    with a warning; raises NotOffered if that is everything, and CloseError for what is `required`."""
    seen: set[Any] = set()
    refused: list[CloseError] = []
    for object_type in OBJECT_TYPES:
        try:
            for page in offset_pages(client, f"custom_field/{object_type}/", {}, _LIMIT, seen):
                yield [{**row, "object_type": object_type} for row in page]
        except (Missing, NotOffered, Refused) as error:
            if object_type in required:
                raise
            refused.append(error)
    if len(refused) == len(OBJECT_TYPES):
        raise refused[0]
    for refusal in refused:
        logger.warning(f"{client.stream}: some definitions are left out. {refusal}")


def with_ids(fields: Page) -> Page:
    """The definitions that can become columns."""
    usable = [field for field in fields if field.get("id") and isinstance(field["id"], str)]
    if len(usable) < len(fields):
        logger.warning(f"{len(fields) - len(usable)} custom fields are no columns: Close gives them without an id.")
    return usable


def columns(fields: Page, owners: Sequence[str]) -> dict[str, Any]:
    """The properties that the fields of these owners add to a schema."""
    return {f"custom.{field['id']}": _column(field) for field in fields if not _owners(field).isdisjoint(owners)}


def _owners(field: Mapping[str, Any]) -> frozenset[str]:
    """The objects that have the field, as `associations` name them."""
    object_type = field["object_type"]
    if object_type == "shared":
        return _associated(field.get("associations"))
    if object_type == "activity":
        return frozenset({CUSTOM_ACTIVITY} if field.get("custom_activity_type_id") else {CUSTOM_ACTIVITY, object_type})
    return frozenset({object_type})


def _associated(associations: Any) -> frozenset[str]:
    if not isinstance(associations, list):
        return _EVERYTHING  # too many columns rather than none
    named = (str(each.get("object_type")) for each in associations if isinstance(each, dict))
    return frozenset(name.partition("/")[0] for name in named)


def _column(field: Mapping[str, Any]) -> dict[str, Any]:
    value = _COLUMN_TYPES.get(str(field.get("type")), _TEXT)
    column = {"type": ["null", "array"], "items": value} if field.get("accepts_multiple_values") else dict(value)
    name = field.get("name")
    return {**column, "title": name} if isinstance(name, str) else column
