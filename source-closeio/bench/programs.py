"""The two programs that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.processes import Close, Spent, run

RECORD = b'{"type":"RECORD"'
STATE = b'{"type":"STATE"'


@dataclass(frozen=True, slots=True)
class Programs:
    """The connector and the floor program on one simulator; their files are in `folder`."""

    close: Close
    folder: Path

    def connector(self, streams: Sequence[str], output: Path | None = None, state_of: Path | None = None) -> Spent:
        """Read these streams, going on from the state at the end of an earlier output."""
        config = {"api_key": self.close.key, "api_url": self.close.url, "start_date": "2020-01-01"}
        files: dict[str, object] = {"config": config, "catalog": {"streams": [_configured(name) for name in streams]}}
        files |= {"state": last_states(state_of)} if state_of else {}
        for name, content in files.items():
            self._file(name).write_bytes(orjson.dumps(content))
        options = [word for name in files for word in (f"--{name}", str(self._file(name)))]
        return run("-m", "source_closeio", "read", *options, output=output)

    def floor(self, output: Path | None = None) -> Spent:
        """Read what was read from this simulator before."""
        pages = self._file("pages")
        run("-m", "bench.pages", self.close.url, output=pages)
        return run("-m", "bench.floor", self.close.url, self.close.key, str(pages), output=output)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def count_records(output: Path) -> int:
    with output.open("rb") as lines:
        return sum(line.startswith(RECORD) for line in lines)


def last_states(output: Path) -> list[object]:
    """Of each stream."""
    with output.open("rb") as lines:
        states = [orjson.loads(line)["state"] for line in lines if line.startswith(STATE)]
    return list({state["stream"]["stream_descriptor"]["name"]: state for state in states}.values())


def _configured(stream: str) -> dict[str, object]:
    return {
        "stream": {"name": stream, "json_schema": {}, "supported_sync_modes": ["incremental"]},
        "sync_mode": "incremental",
        "destination_sync_mode": "append",
    }
