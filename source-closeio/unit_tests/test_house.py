"""What keeps the package one that can be understood: rooms in one order, few ancestors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS

PACKAGE = Path(__file__).parents[1] / "source_closeio"
FLOORS = (
    *("kit", "config", "http", "paging", "event_log", "stream", "families", "streams", "access", "source", "run"),
    *("__init__", "__main__"),
)


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[1] for name in found if name.startswith("source_closeio.")}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_from_its_own_room_and_those_below(path: Path) -> None:
    floor = FLOORS.index(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))

    if path.name in ("__init__.py", "__main__.py"):
        return
    assert all(FLOORS.index(room) <= floor for room in imported(path))


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_a_stream_has_three_ancestors_at_most(stream: type[CloseStream]) -> None:
    ours = [each for each in stream.__mro__[1:] if each.__module__.startswith("source_closeio.")]

    assert len(ours) <= 3
