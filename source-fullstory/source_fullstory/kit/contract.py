"""What the reader and a stream promise each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

Page = list[dict[str, Any]]
Slice = TypeVar("Slice")


class Stopped(Exception):
    """The stream was told to stop; whoever told it knows why."""


class NotOffered(Exception):
    """The account's plan or the key's role does not give this stream: a config error, never an empty stream."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many rows the stream will have, as the API tells."""

    rows: int


class Stream(Protocol[Slice]):
    """One stream of the API. `open` and `read_slice` run in workers and may fetch; the other methods are quick."""

    @property
    def name(self) -> str: ...

    def open(self, state: Mapping[str, Any]) -> None:
        """Plan the slices, starting from the state of the last sync ({} if there was none)."""

    def take_slice(self) -> Slice | None:
        """A slice that nobody reads yet; None if there is none (right now)."""

    def has_slices(self) -> bool:
        """Would take_slice give one? A slice that is being read may still add others."""

    def is_waiting(self) -> bool:
        """Will slices come once another stream has been read further, though take_slice gives none now?"""

    def read_slice(self, stream_slice: Slice) -> Iterator[Page | Estimate]: ...

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        """All records of the slice are out. Returns the state that is safe now."""

    def stop(self) -> None:
        """End waiting and fetching soon, by raising Stopped where it happens."""

    def explain(self, error: BaseException) -> AirbyteTracedException:
        """The error as the user should see it."""

    def usage(self) -> str:
        """Requests, waiting and the like, for the log."""
