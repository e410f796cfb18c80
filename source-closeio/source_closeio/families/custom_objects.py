"""Custom objects: only search lists those of all leads, one type at a time.

https://developer.close.com/api/resources/custom-objects: the list wants a lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from source_closeio.http.errors import NotOffered, Refused
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.lists import offset_pages
from source_closeio.paging.search import Query, SearchStream
from source_closeio.paging.windows import Window

_LIMIT = 1000


class CustomObjectStream(SearchStream):
    """The objects of all types."""

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        try:
            yield from super().read_window(window)
        except Refused as refused:  # in beta since 2024: not every Close can search for them
            raise NotOffered(refused.status, refused.endpoint, refused.text) from refused

    @cached_property
    def _types(self) -> list[str]:
        pages = offset_pages(self.client, "custom_object_type/", {}, _LIMIT)
        return [str(row["id"]) for page in pages for row in page]

    def queries(self) -> list[Query]:
        # Assumed: a search without a type finds nothing, for every search of custom objects that was seen names one.
        (everything,) = super().queries()
        fields = everything.fields
        return [
            Query(self.client, self.object_type, fields, {"custom_object_type_id": type_id}) for type_id in self._types
        ]
