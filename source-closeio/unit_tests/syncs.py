"""The connector, run through its entry point against a simulated Close; and what it put out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airbyte_cdk.models import AirbyteStateMessage, SyncMode
from airbyte_cdk.test.catalog_builder import CatalogBuilder
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput, read
from airbyte_cdk.test.state_builder import StateBuilder
from simulator import CloseSimulator

from source_closeio import SourceCloseio

Table = dict[str, dict[str, Any]]


@dataclass
class Sync:
    """What one sync put out."""

    output: EntrypointOutput

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """The records as they came, repeated ones repeated."""
        return [message.record.data for message in self.output.records if message.record.stream == stream]

    def table(self, stream: str) -> Table:
        """What a destination that dedups by id would hold."""
        return {row["id"]: row for row in self.rows(stream)}

    def states(self, stream: str) -> list[dict[str, Any]]:
        return [
            dict(vars(message.state.stream.stream_state))
            for message in self.output.state_messages
            if message.state.stream.stream_descriptor.name == stream
        ]

    @property
    def state(self) -> list[AirbyteStateMessage]:
        """The last state of each stream, as the next sync gets it."""
        last = {message.state.stream.stream_descriptor.name: message.state for message in self.output.state_messages}
        return list(last.values())

    @property
    def errors(self) -> list[str]:
        return [message.trace.error.message for message in self.output.errors]

    def statuses(self, stream: str) -> list[str]:
        return [status.value for status in self.output.get_stream_statuses(stream)]

    @property
    def log(self) -> str:
        return "\n".join(message.log.message for message in self.output.logs)


def config(sim: CloseSimulator, **changes: Any) -> dict[str, Any]:
    return {"api_key": sim.api_key, "api_url": sim.url, "start_date": "2020-01-01", **changes}


def sync(
    sim: CloseSimulator, *streams: str, state: list[AirbyteStateMessage] | None = None, **changes: Any
) -> Sync:
    """Run `read` incrementally for these streams."""
    catalog = CatalogBuilder()
    for stream in streams:
        catalog = catalog.with_stream(stream, SyncMode.incremental)
    return Sync(read(SourceCloseio(), config(sim, **changes), catalog.build(), state))


def saved(stream: str, **values: str) -> list[AirbyteStateMessage]:
    """The state of one stream, made by hand."""
    return StateBuilder().with_stream_state(stream, values).build()
