"""Compare the files that both connectors have: byte for byte the same, but for the connector's name.

The images are independent, so what they share exists twice: all of the folder kit/, its tests, and the files in TWINS.
A fix in one goes into the other: `python scripts/check_twins.py --copy source-closeio` makes the other's like these.
"""

from __future__ import annotations

import sys
from difflib import unified_diff
from pathlib import Path

REPO = Path(__file__).parent.parent
FIRST, SECOND = "closeio", "fullstory"
TWINS = (
    ".dockerignore",
    "acceptance-test-config.yml",
    "source_{name}/__main__.py",
    "source_{name}/run.py",
    "unit_tests/forgotten.py",
    "unit_tests/hostile.py",
    "unit_tests/test_configured_catalog.py",
    "unit_tests/test_derived.py",
    "unit_tests/test_form.py",
    "unit_tests/test_house.py",
    "unit_tests/test_imports.py",
    "integration_tests/airbyte.py",
    "integration_tests/cat.py",
    "integration_tests/cat_files.py",
    "integration_tests/conftest.py",
    "integration_tests/test_airbyte_standards.py",
    "integration_tests/test_cat.py",
    "integration_tests/test_commands.py",
    "integration_tests/test_image.py",
    "integration_tests/test_readme.py",
)


FOLDERS = ("source_{name}/kit/**/*", "*_tests/test_kit*.py")


def twins() -> list[str]:
    """Those listed, and whatever either has in the folders that are meant to be the same."""
    found = {twin for name in (FIRST, SECOND) for pattern in FOLDERS for twin in files(name, pattern)}
    return [*TWINS, *sorted(found)]


def files(name: str, pattern: str) -> list[str]:
    """The connector's, by their paths, with a stand-in for the name."""
    root = REPO / f"source-{name}"
    paths = (path.relative_to(root) for path in root.glob(pattern.format(name=name)) if path.is_file())
    return [str(path).replace(f"source_{name}", "source_{name}") for path in paths if path.suffix != ".pyc"]


def lines(name: str, twin: str) -> list[str]:
    """The file's, with a stand-in for the name."""
    path = REPO / f"source-{name}" / twin.format(name=name)
    text = path.read_text("utf-8") if path.exists() else "(missing)\n"
    return text.replace(name, "name").replace(name.capitalize(), "Name").splitlines(keepends=True)


def difference(twin: str) -> str:
    """Nothing, or what to change in the first connector to get the second's file."""
    first, second = (f"source-{name}/{twin.format(name=name)}" for name in (FIRST, SECOND))
    return "".join(unified_diff(lines(FIRST, twin), lines(SECOND, twin), first, second))


def copy(name: str, other: str) -> None:
    """Make the other connector's files like this one's; what only the other has is removed."""
    for twin in twins():
        source, target = (REPO / f"source-{each}" / twin.format(name=each) for each in (name, other))
        if not source.exists():
            target.unlink()
        elif lines(name, twin) != lines(other, twin):
            text = source.read_text("utf-8").replace(name, other).replace(name.capitalize(), other.capitalize())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")


def main() -> None:
    """Print what differs; the exit status says whether anything does."""
    match sys.argv[1:]:
        case ["--copy", "source-closeio"]:
            copy(FIRST, SECOND)
        case ["--copy", "source-fullstory"]:
            copy(SECOND, FIRST)
        case [_, *_]:
            sys.exit(f"usage: {sys.argv[0]} [--copy source-{FIRST}|source-{SECOND}]")
    found = twins()
    differences = [difference(twin) for twin in found]
    print(*filter(None, differences), sep="\n", end="")
    if any(differences):
        sys.exit("These files are meant to be the same in both connectors (scripts/check_twins.py).")
    print(f"{len(found)} files are the same in both connectors")


if __name__ == "__main__":
    main()
