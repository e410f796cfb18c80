"""What keeps the package one that can be understood: rooms in one order, few ancestors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import source_closeio
from source_closeio.streams import STREAMS

from simkit.imports import graph

PACKAGE = Path(source_closeio.__path__[0])
ROOMS = re.findall(r"^    (\w+)  ", source_closeio.__doc__ or "", re.MULTILINE)
GRAPH = {name: imported for name, imported in graph(PACKAGE).items() if "." in name and not name.endswith("__main__")}


def room(module: str) -> str:
    return module.split(".")[1]


def test_the_docstring_of_the_package_lists_every_room() -> None:
    assert {room(module) for module in GRAPH} == set(ROOMS)


def test_contributing_draws_the_same_line_of_rooms() -> None:
    assert " > ".join(ROOMS) in (PACKAGE.parents[1] / "CONTRIBUTING.md").read_text("utf-8")


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_a_module_imports_from_its_own_room_and_those_below(module: str) -> None:
    below = ROOMS[ROOMS.index(room(module)) :]

    assert {room(each) for each in GRAPH[module]} <= set(below)


@pytest.mark.parametrize("name", [name for name in ROOMS if (PACKAGE / name).is_dir()])
def test_a_room_says_what_belongs_there(name: str) -> None:
    assert (PACKAGE / name / "__init__.py").read_text("utf-8").startswith('"""')


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_a_stream_has_three_ancestors_at_most(stream: type[Any]) -> None:
    ours = [each for each in stream.__mro__[1:] if each.__module__.startswith("source_closeio.")]

    assert len(ours) <= 3
