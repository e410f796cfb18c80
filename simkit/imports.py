"""Which modules of a package import each other, whether at once, in a function, or only for types."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


def circle(package: Path) -> list[str]:
    """The modules of one import circle inside the package; none if there is no circle."""
    try:
        TopologicalSorter(graph(package)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def graph(package: Path) -> Mapping[str, set[str]]:
    """What each module of the package imports of it. A package's `__init__` goes by the package's name."""
    files = {_name(package, path): path for path in package.rglob("*.py")}
    return {name: set(_imported(name, path, files)) for name, path in files.items()}


def _name(package: Path, path: Path) -> str:
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    here = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in known)
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, here)
            for each in node.names:
                full = f"{source}.{each.name}"
                if full in known or source in known:
                    yield full if full in known else source


def _source(node: ast.ImportFrom, here: str) -> str:
    """The full name of what is imported from."""
    if not node.level:
        return node.module or ""
    base = here.split(".")[: len(here.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])
