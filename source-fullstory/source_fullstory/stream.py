"""The base of every stream: its place in the catalog, its client, its errors."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from importlib.resources import files
from typing import Any, ClassVar, Generic

from airbyte_cdk.models import AirbyteStream, FailureType, SyncMode
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.config import Config
from source_fullstory.http import errors
from source_fullstory.http.api import Client, FullStoryApi
from source_fullstory.kit.contract import Estimate, NotOffered, Page, Slice
from source_fullstory.rows.exclusion import Exclusion

KEPT = "What was read before is kept, and the next sync goes on there."
BEGINS_AGAIN = "The next sync begins this stream again."
FUTURE_SECONDS = 7 * 24 * 3600
"""A state that lies further ahead was not written by a clock that runs ahead."""


class FullStoryStream(ABC, Generic[Slice]):
    """One stream. Subclasses in streams.py say what FullStory has; those in the other modules how to read it."""

    name: ClassVar[str]
    primary_key: ClassVar[tuple[str, ...]]
    cursor_field: ClassVar[str] = ""
    """"" for a stream that is put out whole on each sync."""
    objects: ClassVar[tuple[str, ...]] = ()
    """Columns that hold the account's own variables, which `exclude_fields` reaches."""
    kept: ClassVar[tuple[str, ...]] = ()
    """Columns that `exclude_fields` does not take away, beside key and cursor."""
    can_exclude: ClassVar[bool] = False

    def __init__(self, api: FullStoryApi, config: Config) -> None:
        self.api = api
        self.config = config
        self.client: Client = api.client(self.name)
        patterns = config.exclude_fields if self.can_exclude else ()
        self.exclusion = Exclusion(patterns, (*self.primary_key, self.cursor_field, *self.kept), self.objects)
        if patterns:
            self.exclusion.columns(self.json_schema()["properties"])

    # catalog

    def as_airbyte_stream(self) -> AirbyteStream:
        """The catalog's entry."""
        schema = self.json_schema()
        schema["properties"] = self.exclusion.columns(schema["properties"])
        is_incremental = bool(self.cursor_field)
        modes = [SyncMode.full_refresh, SyncMode.incremental]
        return AirbyteStream(
            name=self.name,
            json_schema=schema,
            supported_sync_modes=modes if is_incremental else modes[:1],
            source_defined_cursor=is_incremental,
            default_cursor_field=[self.cursor_field] if is_incremental else None,
            source_defined_primary_key=[[name] for name in self.primary_key],
            is_resumable=True,
        )

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        text = files("source_fullstory").joinpath("schemas", f"{cls.name}.json").read_text("utf-8")
        schema: dict[str, Any] = json.loads(text)
        return schema

    @classmethod
    def declared(cls) -> Collection[str]:
        """The columns of the schema."""
        return frozenset(cls.json_schema()["properties"])

    # reader.Stream

    @abstractmethod
    def open(self, state: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def take_slice(self) -> Slice | None: ...

    @abstractmethod
    def has_slices(self) -> bool: ...

    @abstractmethod
    def read_slice(self, stream_slice: Slice) -> Iterator[Page | Estimate]: ...

    @abstractmethod
    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]: ...

    def stop(self) -> None:
        self.client.stopped.set()

    def explain(self, error: BaseException) -> AirbyteTracedException:
        return errors.as_traced(error, self.name, KEPT if self.goes_on else BEGINS_AGAIN)

    def is_waiting(self) -> bool:
        return False

    def usage(self) -> str:
        usage = self.client.usage
        return (
            f"{usage.requests:,} requests, {usage.downloaded_bytes / 1e6:,.1f} MB downloaded, "
            f"{usage.waited_seconds:.1f} s waited for the rate limit"
        )

    # for subclasses

    @property
    def goes_on(self) -> bool:
        """Does the next sync go on where this one failed?"""
        return True

    def probe(self, client: Client) -> None:
        """Ask for as little as tells whether FullStory offers the stream at all. Raises as Client.get does."""

    def not_offered(self, error: errors.FullStoryError) -> NotOffered:
        return NotOffered(
            f"FullStory does not offer it to this API key, or to this account ({error}). Use a key with the permission "
            "Architect or Admin, or ask FullStory for the add-on; or deselect the stream."
        )

    def unreadable_state(self, state: Mapping[str, Any]) -> AirbyteTracedException:
        return AirbyteTracedException(
            message=f"The saved state of stream {self.name} cannot be read: {json.dumps(state, default=str)[:300]}. "
            "Reset (clear) the stream, and it will be read from the start date.",
            internal_message="unreadable state",
            failure_type=FailureType.config_error,
        )
