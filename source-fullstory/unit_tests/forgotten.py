"""What a stream of the registry still lacks, each as a sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from source_fullstory.streams import STREAMS

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "source_fullstory" / "schemas"
NAMED_IN = ("docs/streams.md", "integration_tests/configured_catalog.json")
STATES = ("integration_tests/sample_state.json", "integration_tests/abnormal_state.json")


def schemas() -> list[str]:
    """Without its schema one stream fails the tests of all others, so these come first."""
    return [
        f"write {path.relative_to(ROOT)}: {stream.name} is in STREAMS"
        for stream in STREAMS
        if not (path := SCHEMAS / f"{stream.name}.json").exists()
    ]


def leftover_schemas() -> list[str]:
    known = {stream.name for stream in STREAMS}
    return [
        f"remove {path.name}, or put the stream into STREAMS" for path in SCHEMAS.iterdir() if path.stem not in known
    ]


def rows(stream: type[Any]) -> Iterator[str]:
    """Where the stream has to be named, and is not."""
    for name in NAMED_IN + (STATES if stream.cursor_field else ()):
        if not re.search(rf'["`]{stream.name}["`]', (ROOT / name).read_text("utf-8")):
            yield f"add {stream.name} to {name}"
