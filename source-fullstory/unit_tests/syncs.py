"""The connector, run through its entry point against a simulated FullStory; and what it put out."""

import io
import json
import logging
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airbyte_cdk.logger import AirbyteLogFormatter
from airbyte_cdk.models import SyncMode
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from simulator import FullStorySimulator, Request
from source_fullstory import SourceFullstory
from source_fullstory.http.api import FullStoryTiming
from source_fullstory.kit.entrypoint import Entrypoint
from source_fullstory.kit.errors import trace_message
from source_fullstory.kit.output import as_line
from source_fullstory.kit.retry import Patience

from simkit.syncs import arguments

Row = dict[str, Any]
ROOT = Path(__file__).parents[1]
ADDED = {"event_key", "bundle_id", "bundle_start", "bundle_stop"}


class Outcome:
    """What a sync said."""

    def __init__(self, lines: Iterable[Any]) -> None:
        self.messages: list[Row] = [json.loads(line) if isinstance(line, str) else line for line in lines]

    def records(self, stream: str = "events") -> list[Row]:
        found = [message["record"] for message in self.messages if message["type"] == "RECORD"]
        return [record["data"] for record in found if record["stream"] == stream]

    def states(self, stream: str = "events") -> list[Row]:
        found = [message["state"]["stream"] for message in self.messages if message["type"] == "STATE"]
        return [state["stream_state"] for state in found if state["stream_descriptor"]["name"] == stream]

    def state(self, stream: str = "events") -> Row:
        return self.states(stream)[-1]

    @property
    def log(self) -> str:
        return "\n".join(message["log"]["message"] for message in self.messages if message["type"] == "LOG")

    def errors(self) -> list[Row]:
        traces = [message["trace"] for message in self.messages if message["type"] == "TRACE"]
        return [trace["error"] for trace in traces if trace["type"] == "ERROR"]

    def catalog(self) -> dict[str, Row]:
        """What discover has found, by name."""
        (found,) = [message["catalog"] for message in self.messages if message["type"] == "CATALOG"]
        return {stream["name"]: stream for stream in found["streams"]}

    def status(self, stream: str = "events") -> str:
        traces = [message["trace"] for message in self.messages if message["type"] == "TRACE"]
        statuses = [trace["stream_status"] for trace in traces if trace["type"] == "STREAM_STATUS"]
        return str([s["status"] for s in statuses if s["stream_descriptor"]["name"] == stream][-1])

    @property
    def text(self) -> str:
        """Everything, to search for what must not be there."""
        return json.dumps(self.messages, ensure_ascii=False)


HURRY = FullStoryTiming(
    Patience(tries=9, throttled_seconds=3600.0, first_pause=0.01, longest_pause=0.05),
    answer=120.0,
    first_poll=0.01,
    longest_poll=0.05,
)
"""No long pauses: how long they are is nothing that a test has to wait for."""


def run_here(*args: str, timing: FullStoryTiming = HURRY) -> Outcome:
    """The command through the entry point, in this process, with all that it prints and logs."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    handler.setFormatter(AirbyteLogFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    lines: list[str] = []
    try:
        entrypoint = Entrypoint(SourceFullstory(timing))
        lines.extend(as_line(message).decode() for message in entrypoint.messages(entrypoint.parse_args(list(args))))
    except AirbyteTracedException as error:
        lines.append(as_line(trace_message(error)).decode())
    finally:
        root.removeHandler(handler)
    return Outcome(lines + logged.getvalue().split("\n")[:-1])


@dataclass
class Account:
    """A simulated account and the form filled in for it."""

    sim: FullStorySimulator
    config: Row
    timing: FullStoryTiming = HURRY

    def in_time(self, **changes: Any) -> "Account":
        """The same account, for a connector with other timing."""
        return replace(self, timing=replace(self.timing, **changes))

    def sync(
        self,
        state: Row | None = None,
        streams: Iterable[str] = ("events",),
        mode: SyncMode = SyncMode.incremental,
        debug: bool = False,
        **config: Any,
    ) -> Outcome:
        """One sync in this process. `state` is that of the first of the streams."""
        states = None
        if state is not None:
            stream = {"stream_descriptor": {"name": next(iter(streams))}, "stream_state": state}
            states = [{"type": "STREAM", "stream": stream}]
        with tempfile.TemporaryDirectory() as folder:
            found = self.arguments(Path(folder), streams, states, mode, {**self.config, **config})
            return run_here(*found, *(["--debug"] if debug else []), timing=self.timing)

    def sync_from(self, states: object, streams: Iterable[str]) -> Outcome:
        """One sync from a state file that holds just that."""
        with tempfile.TemporaryDirectory() as folder:
            return run_here(*self.arguments(Path(folder), streams, states), timing=self.timing)

    def sync_with_stuck_exports(self) -> Outcome:
        """One sync, in which no export is ever made until the first is cancelled."""
        settings = self.sim.settings
        settings.export_never_completes = True

        def release(request: Request) -> None:
            settings.export_never_completes &= not request.path.endswith("/cancel")

        self.sim.on_request = release
        outcome = self.sync()
        self.sim.on_request = None
        return outcome

    def discover(self, **config: Any) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "config.json")
            path.write_text(json.dumps({**self.config, **config}))
            return run_here("discover", "--config", str(path), timing=self.timing)

    def check(self, **config: Any) -> Row:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "config.json")
            path.write_text(json.dumps({**self.config, **config}))
            outcome = run_here("check", "--config", str(path), timing=self.timing)
        (status,) = [m["connectionStatus"] for m in outcome.messages if m["type"] == "CONNECTION_STATUS"]
        assert self.config["api_key"] not in outcome.text
        return dict(status)

    def arguments(
        self,
        folder: Path,
        streams: Iterable[str] = ("events",),
        state: object = None,
        mode: SyncMode = SyncMode.incremental,
        config: Row | None = None,
    ) -> list[str]:
        """The command line of a sync."""
        return arguments(folder, config or self.config, streams, state, mode.value)


def as_sent(record: Row) -> Row:
    """The record as FullStory sent it: without our columns, the custom variables back at the top."""
    row = {name: value for name, value in record.items() if name not in ADDED}
    for name in ("evt_vars", "user_vars", "page_vars"):
        row.update(row.pop(name, {}))
    return row


def assert_rows(records: Iterable[Row], rows: Iterable[Row]) -> None:
    """Records are these rows, each as often, in any order, with keys that differ."""
    found = list(records)
    difference = Counter(map(_text, map(as_sent, found)))
    difference.subtract(map(_text, rows))
    assert not +difference, f"too many: {list((+difference).items())[:2]}"
    assert not -difference, f"missing: {list((-difference).items())[:2]}"
    assert len({record["event_key"] for record in found}) == len(found)


def storable(value: Any) -> Any:
    """With half surrogate pairs, which no destination can store, replaced as the connector replaces them."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _text(row: Row) -> str:
    return json.dumps(storable(row), sort_keys=True)


def run_process(given: list[str]) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "source_fullstory", *given]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
