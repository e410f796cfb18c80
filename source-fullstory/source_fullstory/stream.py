"""The base of every stream: its place in the catalog, its client, its errors."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, ClassVar

from airbyte_cdk.models import AirbyteStream, FailureType, SyncMode
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import errors
from source_fullstory.api import Client, FullStoryApi
from source_fullstory.config import Config
from source_fullstory.reader import Estimate, Page

logger = logging.getLogger("airbyte")


class FullStoryStream(ABC):
    """One stream. Subclasses in streams.py say what FullStory has; those in events.py and export_bundles.py how to
    read it."""

    name: ClassVar[str]
    primary_key: ClassVar[str]
    cursor_field: ClassVar[str]

    def __init__(self, api: FullStoryApi, config: Config) -> None:
        self.api = api
        self.config = config
        self.client: Client = api.client(self.name)

    # catalog

    def as_airbyte_stream(self) -> AirbyteStream:
        """The catalog's entry."""
        return AirbyteStream(
            name=self.name,
            json_schema=self.json_schema(),
            supported_sync_modes=[SyncMode.full_refresh, SyncMode.incremental],
            source_defined_cursor=True,
            default_cursor_field=[self.cursor_field],
            source_defined_primary_key=[[self.primary_key]],
            is_resumable=True,
        )

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        text = files("source_fullstory").joinpath("schemas", f"{cls.name}.json").read_text("utf-8")
        schema: dict[str, Any] = json.loads(text)
        return schema

    # reader.Stream

    @abstractmethod
    def open(self, state: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def take_slice(self) -> Any | None: ...

    @abstractmethod
    def has_slices(self) -> bool: ...

    @abstractmethod
    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]: ...

    @abstractmethod
    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]: ...

    def stop(self) -> None:
        self.client.stopped.set()

    def explain(self, error: Exception) -> AirbyteTracedException:
        return errors.as_traced(error, self.name)

    def usage(self) -> str:
        usage = self.client.usage
        return (
            f"{usage.requests:,} requests, {usage.bundle_bytes / 1e6:,.1f} MB downloaded, "
            f"{usage.waited_seconds:.1f} s waited for the rate limit"
        )

    # for subclasses

    def unreadable_state(self, state: Mapping[str, Any]) -> AirbyteTracedException:
        return AirbyteTracedException(
            message=f"The saved state of stream {self.name} cannot be read: {json.dumps(state, default=str)[:300]}. "
            "Reset (clear) the stream, and it will be read from the start date.",
            internal_message="unreadable state",
            failure_type=FailureType.config_error,
        )
