"""The two programs that are compared."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import orjson
import requests

from bench.processes import DAY, FullStory, Spent, run

RECORD = b'{"type":"RECORD"'


@dataclass(frozen=True, slots=True)
class Programs:
    """The connector and the floor program on one simulator with one bundle; their files are in `folder`."""

    fullstory: FullStory
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
        config["events_source"] = {"method": self.method}
        files = {"config": config, "catalog": {"streams": [CONFIGURED]}}
        for name, content in files.items():
            self._file(name).write_bytes(orjson.dumps(content))
        options = [word for name in files for word in (f"--{name}", str(self._file(name)))]
        return run("-m", "source_fullstory", "read", *options, output=output)

    def floor(self, output: Path | None = None) -> Spent:
        """Read the file that `download` made."""
        return run("-m", "bench.floor", str(self._bundle), output=output)

    def download(self) -> float:
        """Get the bundle's file. Returns how many MB of JSON are in it."""
        (bundle,) = requests.get(f"{self.fullstory.url}/_simulator/bundles", timeout=60).json()
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

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def count_records(output: Path) -> int:
    with output.open("rb") as lines:
        return sum(line.startswith(RECORD) for line in lines)


def _unpacked_size(packed: Path) -> int:
    """The last four bytes of a gzip file."""
    with packed.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(), "little")


CONFIGURED = {
    "stream": {"name": "events", "json_schema": {}, "supported_sync_modes": ["incremental"]},
    "sync_mode": "incremental",
    "destination_sync_mode": "append",
}
