"""The two programs that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import orjson

from simkit.command_line import Running, running
from simkit.processes import Spent, run
from simkit.syncs import arguments

CONNECTOR = Path(__file__).parent.parent
STATE = b'{"type":"STATE"'


def simulator(**settings: float) -> AbstractContextManager[Running]:
    """A Close with so much data and no more; the settings are the simulator's."""
    nothing = dict.fromkeys(("leads", "activities", "tasks", "events", "custom-fields"), 0)
    # A cursor outlives the connector's run, so that the floor program can read the same pages.
    return running(CONNECTOR, **{"cursor-seconds": 3600, **nothing, **settings})


@dataclass(frozen=True, slots=True)
class Programs:
    """The connector and the floor program on one simulator; their files are in `folder`."""

    close: Running
    folder: Path

    def connector(
        self,
        streams: Sequence[str],
        output: Path | None = None,
        state_of: Path | None = None,
        schema: object = None,
    ) -> Spent:
        """Read these streams, going on from the state at the end of an earlier output."""
        config = {"api_key": self.close.key, "api_url": self.close.url, "start_date": "2020-01-01"}
        state = last_states(state_of) if state_of else None
        return run(
            "-m", "source_closeio", *arguments(self.folder, config, streams, state, schema=schema), output=output
        )

    def floor(self, output: Path | None = None) -> Spent:
        """Read what was read from this simulator before."""
        pages = self.folder / "pages.json"
        run("-m", "bench.pages", self.close.url, output=pages)
        return run("-m", "bench.floor", self.close.url, self.close.key, str(pages), output=output)


def last_states(output: Path) -> list[object]:
    """Of each stream."""
    with output.open("rb") as lines:
        states = [orjson.loads(line)["state"] for line in lines if line.startswith(STATE)]
    return list({state["stream"]["stream_descriptor"]["name"]: state for state in states}.values())
