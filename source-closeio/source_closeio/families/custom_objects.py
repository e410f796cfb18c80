"""Custom objects: only search lists those of all leads, one type at a time.

https://developer.close.com/api/resources/custom-objects: the list wants a lead.
"""

from __future__ import annotations

from collections.abc import Mapping

from source_closeio.http.api import Client
from source_closeio.paging.pages import offset_pages

_LIMIT = 1000


def each_type(client: Client) -> list[Mapping[str, str]]:
    """Conditions for a search of the objects of each type. Assumed: a search without a type finds nothing, for every
    search of custom objects that was seen names one."""
    pages = offset_pages(client, "custom_object_type/", {}, _LIMIT)
    return [{"custom_object_type_id": str(row["id"])} for page in pages for row in page]
