"""The connector, run through its entry point against a simulated Close; and what it put out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from airbyte_cdk.models import (
    AirbyteErrorTraceMessage,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStream,
    AirbyteStreamState,
    FailureType,
    SyncMode,
)
from airbyte_cdk.test.catalog_builder import CatalogBuilder
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput, discover, read
from airbyte_cdk.test.state_builder import StateBuilder
from simulator import CloseSimulator
from source_closeio import SourceCloseio
from source_closeio.http.api import TIMING
from source_closeio.kit.output import as_line
from source_closeio.kit.retry import Patience, Timing
from source_closeio.streams import STREAMS

from simkit.destination import Table, merged

BY_NAME = {stream.name: stream for stream in STREAMS}


@dataclass
class Sync:
    """What one sync put out."""

    output: EntrypointOutput

    @property
    def messages(self) -> list[dict[str, Any]]:
        """As they leave the process."""
        return [orjson.loads(as_line(message)) for message in self.output.get_message_iterator()]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """The records as they came, repeated ones repeated."""
        records = [message.record for message in self.output.records if message.record]
        return [record.data for record in records if record.stream == stream]

    def table(self, stream: str) -> Table:
        """What a destination would hold that had nothing before."""
        return table(stream, self)

    def states(self, stream: str) -> list[dict[str, Any]]:
        return [dict(vars(state.stream_state)) for name, state in self._states() if name == stream]

    @property
    def state(self) -> list[AirbyteStateMessage]:
        """The last state of each stream, as the next sync gets it."""
        return [
            AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=state) for state in dict(self._states()).values()
        ]

    def _states(self) -> list[tuple[str, AirbyteStreamState]]:
        states = [message.state.stream for message in self.output.state_messages if message.state]
        return [(state.stream_descriptor.name, state) for state in states if state]

    @property
    def failures(self) -> list[AirbyteErrorTraceMessage]:
        return [message.trace.error for message in self.output.errors if message.trace and message.trace.error]

    @property
    def errors(self) -> list[str]:
        return [failure.message for failure in self.failures]

    @property
    def estimates(self) -> dict[str, int | None]:
        traces = [message.trace for message in self.output.trace_messages if message.trace]
        return {trace.estimate.name: trace.estimate.row_estimate for trace in traces if trace.estimate}

    @property
    def names(self) -> set[str]:
        """The streams that were begun."""
        statuses = [message.trace.stream_status for message in self.output.trace_messages if message.trace]
        return {status.stream_descriptor.name for status in statuses if status}

    def statuses(self, stream: str) -> list[str]:
        return [status.value for status in self.output.get_stream_statuses(stream)]

    @property
    def log(self) -> str:
        return "\n".join(message.log.message for message in self.output.logs if message.log)


def table(stream: str, *syncs: Sync) -> Table:
    """What a destination holds after these syncs."""
    found: Table = {}
    for each in syncs:
        found = merged(BY_NAME[stream], found, each.rows(stream))
    return found


def config(sim: CloseSimulator, **changes: Any) -> dict[str, Any]:
    return {"api_key": sim.api_key, "api_url": sim.url, "start_date": "2020-01-01", **changes}


def sync(
    sim: CloseSimulator,
    *streams: str,
    state: list[AirbyteStateMessage] | None = None,
    timing: Timing = TIMING,
    spare_workers: int = 16,
    columns: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Sync:
    """Run `read` incrementally for these streams; with `columns`, these alone are chosen."""
    builder = CatalogBuilder()
    for stream in streams:
        builder = builder.with_stream(stream, SyncMode.incremental)
    chosen = builder.build()
    for each in chosen.streams:
        each.stream.json_schema = {} if columns is None else {"type": "object", "properties": columns}
    return Sync(read(SourceCloseio(timing, spare_workers), config(sim, **changes), chosen, state))


def hurry(tries: int) -> Timing:
    """Gives up after so many tries, or two seconds."""
    return Timing(Patience(tries, seconds=2.0))


def saved(stream: str, **values: str) -> list[AirbyteStateMessage]:
    """The state of one stream, made by hand."""
    return StateBuilder().with_stream_state(stream, values).build()


def catalog(sim: CloseSimulator, timing: Timing = TIMING) -> dict[str, AirbyteStream]:
    """What `discover` answers, by stream."""
    message = discover(SourceCloseio(timing), config(sim)).catalog
    assert message.catalog
    return {stream.name: stream for stream in message.catalog.streams}


def assert_not_offered(result: Sync, *streams: str) -> None:
    """Each ends INCOMPLETE, without a row or a state, with one config error that names it; all others complete."""
    for stream in result.names:
        assert (result.statuses(stream)[-1] == "INCOMPLETE") == (stream in streams), stream
    for stream in streams:
        assert result.statuses(stream) == ["STARTED", "INCOMPLETE"]
        assert not result.states(stream)
        own = [each for each in result.failures if each.stream_descriptor and each.stream_descriptor.name == stream]
        assert [each.failure_type for each in own] == [FailureType.config_error]
        assert stream in own[0].message
