"""Make what `discover` prints into what `read` wants: a configured catalog.

    source-x discover --config config.json | python -m source_x.kit.configured_catalog > catalog.json

Names of streams behind it choose these; without any, all are chosen. A stream that knows what is new is read by that,
and its rows replace older ones of the same key; the others are read whole, and replace the table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def configured_catalog(streams: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"streams": [_configured(stream) for stream in streams]}


def _configured(stream: Mapping[str, Any]) -> dict[str, Any]:
    incremental = "incremental" in stream.get("supported_sync_modes", [])
    key = stream.get("source_defined_primary_key") or []
    return {
        "stream": stream,
        "sync_mode": "incremental" if incremental else "full_refresh",
        "destination_sync_mode": ("append_dedup" if key else "append") if incremental else "overwrite",
        "cursor_field": stream.get("default_cursor_field") or [],
        "primary_key": key,
    }


def discovered(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The streams that `discover` printed. Ends the process with what it said instead."""
    problems = []
    for message in map(_message, lines):
        if message.get("type") == "CATALOG":
            streams: list[dict[str, Any]] = message["catalog"]["streams"]
            return streams
        error = message.get("trace", {}).get("error")
        if error:
            problems.append(str(error.get("message")))
    sys.exit("\n".join(problems) or "There is no catalog in this: give it what `discover` prints, whole.")


def _message(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def chosen(streams: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Those of these names, or all. Ends the process at a name that there is not."""
    known = {stream["name"]: stream for stream in streams}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"No stream {', '.join(unknown)}. There are: {', '.join(known)}")
    return [known[name] for name in names] if names else list(streams)


def main() -> None:
    names = sys.argv[1:]
    if any(name.startswith("-") for name in names):
        sys.exit((__doc__ or "").strip())
    json.dump(configured_catalog(chosen(discovered(sys.stdin), names)), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
