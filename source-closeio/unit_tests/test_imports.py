"""No module imports, by whichever way, one that imports it: not even in a function, or only for types."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import simulator
import source_closeio

import simkit
from simkit.imports import circle, graph


@pytest.mark.parametrize("package", [source_closeio, simulator, simkit])
def test_no_import_goes_in_a_circle(package: ModuleType) -> None:
    assert circle(Path(package.__path__[0])) == []


def test_the_simulator_knows_nothing_of_the_connector() -> None:
    for package in (simulator, simkit):
        for path in Path(package.__path__[0]).rglob("*.py"):
            assert "source_closeio" not in path.read_text("utf-8")


def test_a_circle_is_found_wherever_the_import_stands(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def later():\n    from . import two")
    (tmp_path / "two.py").write_text("if TYPE_CHECKING:\n    from .one import later")
    assert graph(tmp_path)[f"{tmp_path.name}.one"] == {f"{tmp_path.name}.two"}
    assert len(circle(tmp_path)) == 3
