"""Lay out the JSON that people read: one property a line in schemas, one stream a line in catalogs and states.

`make format` writes; with --check, as in `make lint`, it only says which files are laid out otherwise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent
WIDTH = 120
INDENT = "  "
SCHEMAS = "source-*/source_*/schemas/*.json"
OFFICIAL = "source-*/unit_tests/official_*.json"
LISTS_OF_STREAMS = tuple(
    f"source-*/integration_tests/{name}.json" for name in ("configured_catalog", "sample_state", "abnormal_state")
)


def paths(*patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(REPO.glob(pattern))


def parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_without_repeats)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two properties with one name, a parser would drop the first, and so would this script."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"more than once: {sorted(name for name in fields if names.count(name) > 1)}")
    return fields


def schema(value: Any, indent: str = "", width: int = 0) -> str:
    """One property a line. What is nested stays on its line, but for an object whose properties do not fit there."""
    line = _line(value)
    if '"properties": {' not in line or len(indent + line) <= width:
        return line
    inner = indent + INDENT
    return _object(
        {
            name: _properties(each, inner) if name == "properties" else schema(each, inner, WIDTH)
            for name, each in value.items()
        },
        indent,
    )


def _properties(value: Any, indent: str) -> str:
    return _object({name: schema(each, indent + INDENT, WIDTH) for name, each in value.items()}, indent)


def list_of_streams(value: Any) -> str:
    """One stream a line, in a catalog, which is an object, or in states, which are a list."""
    if isinstance(value, list):
        return _block("[", map(_line, value), "]", "")
    return _object({name: _block("[", map(_line, each), "]", INDENT) for name, each in value.items()}, "")


def _object(fields: Mapping[str, str], indent: str) -> str:
    return _block("{", (f"{_line(name)}: {text}" for name, text in fields.items()), "}", indent)


def _block(first: str, items: Iterable[str], last: str, indent: str) -> str:
    return "\n".join([first, ",\n".join(indent + INDENT + item for item in items), indent + last])


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def formatted(path: Path) -> str:
    layout = schema if path.parent.name == "schemas" else list_of_streams
    try:
        return layout(parse(path.read_text("utf-8"))) + "\n"
    except ValueError as error:
        sys.exit(f"{path.relative_to(REPO)}: {error}")


def main() -> None:
    """Format the files, or check that they are; the exit status says whether any is not."""
    texts = {path: formatted(path) for path in paths(SCHEMAS, OFFICIAL, *LISTS_OF_STREAMS)}
    others = [path for path, text in texts.items() if path.read_text("utf-8") != text]
    if "--check" not in sys.argv:
        for path in others:
            path.write_text(texts[path], "utf-8")
        print(f"{len(others)} of {len(texts)} JSON files laid out anew")
    elif others:
        sys.exit("Run `make format`: " + ", ".join(str(path.relative_to(REPO)) for path in others))
    else:
        print(f"{len(texts)} JSON files are laid out")


if __name__ == "__main__":
    main()
