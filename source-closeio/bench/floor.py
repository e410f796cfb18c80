"""The least that a program can do: the same pages, one after the other, as Airbyte RECORD lines.

`python -m bench.floor URL KEY PAGES`, where PAGES is a file with the requests to send, as pages.py writes it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import requests


def main(url: str, key: str, pages: str) -> None:
    session = requests.Session()
    session.auth = (key, "")
    with Path(pages).open("rb") as lines:
        for asked in map(orjson.loads, lines):
            address = f"{url}{asked['path']}/"
            response = session.request(asked["method"], address, params=asked["params"], json=asked["body"])
            response.raise_for_status()
            rows = orjson.loads(response.content).get("data", [])  # /me/ is no list
            sys.stdout.buffer.writelines(records(rows))


def records(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    emitted_at = time.time_ns() // 1_000_000
    for row in rows:
        record = {"stream": "floor", "data": row, "emitted_at": emitted_at}
        yield orjson.dumps({"type": "RECORD", "record": record}, option=orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    main(*sys.argv[1:])
