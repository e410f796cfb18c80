"""The two programs that are compared."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from simulator import TRICKS

from simkit.command_line import Running, running
from simkit.processes import Spent, run
from simkit.syncs import arguments

CONNECTOR = Path(__file__).parent.parent
_STOP = datetime.now(UTC).date() - timedelta(days=2)
DAY = str(_STOP - timedelta(days=1))
"""The bundle of this day is listed, and its events are final. Of the days after it no export is ordered yet."""
_SETTLE_HOURS = 48
_READABLE = TRICKS - {"surrogates"}
"""What a plain program stumbles over is left out: orjson refuses half of a surrogate pair."""


def simulator(events: int) -> AbstractContextManager[Running]:
    """A FullStory with one bundle, that of DAY, with so many events."""
    return running(
        CONNECTOR,
        days=1,
        until=str(_STOP),
        events_per_bundle=events,
        downloads_per_minute=0,
        prepare=None,  # the bytes are made before the simulator is ready; so no program waits for them
        tricks=sorted(_READABLE),
        stream_above=0,
        export_polls=0,
    )


@dataclass(frozen=True, slots=True)
class Programs:
    """The connector and the floor program on one simulator with one bundle; their files are in `folder`."""

    fullstory: Running
    folder: Path
    method: str = "bundles"
    """How the connector gets the events."""

    def connector(self, output: Path | None = None) -> Spent:
        """Download the bundle, or an export of its day, and read it."""
        url = self.fullstory.url
        config: dict[str, object] = {
            "api_key": self.fullstory.key,
            "api_url": url,
            "export_url": url,
            "start_date": DAY,
        }
        if self.method == "segment_export":
            config["events_source"] = {"method": self.method, "settle_hours": _SETTLE_HOURS}
        return run("-m", "source_fullstory", *arguments(self.folder, config, ["events"]), output=output)

    def floor(self, output: Path | None = None) -> Spent:
        """Read the file that `download` made."""
        return run("-m", "bench.floor", str(self._bundle), output=output)

    def download(self) -> float:
        """Get the bundle's file. Returns how many MB of JSON are in it."""
        (bundle,) = self.fullstory.ask("bundles")
        url, key = f"{self.fullstory.url}/api/v1/export/get?id={bundle['id']}", self.fullstory.key
        with (
            requests.get(url, headers={"Authorization": f"Basic {key}"}, stream=True, timeout=60) as response,
            self._bundle.open("wb") as file,
        ):
            response.raise_for_status()
            shutil.copyfileobj(response.raw, file)
        return _unpacked_size(self._bundle) / 1e6

    @property
    def _bundle(self) -> Path:
        return self.folder / "bundle.json.gz"


def _unpacked_size(packed: Path) -> int:
    """The last four bytes of a gzip file."""
    with packed.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(), "little")
