"""What other processes can do with the organization, at /_simulator/, besides what every simulator does."""

from __future__ import annotations

from typing import Any

from simkit.control import Commands

from .close import Close


def commands(close: Close) -> Commands:
    return {
        "POST change": lambda given: change(close, given),
        "GET truth": lambda given: close.data[given["name"]].rows(),
        "GET counts": lambda _: {name: len(collection) for name, collection in close.data.items() if len(collection)},
    }


def change(close: Close, given: dict[str, Any]) -> object:
    """`{"collection": "activity", "action": "add" | "make" | "update" | "delete", "id": …, "row": {…}}`."""
    collection, log = close.data[given["collection"]], bool(given.get("log", True))
    action, row = given.get("action", "update"), given.get("row") or {}
    if action == "make":
        return collection.add(close.make(given["collection"], **row), log=log)
    if action == "add":
        return collection.add(row, log=log)
    if action == "update":
        return collection.update(given["id"], row, log=log)
    if action == "delete":
        return collection.delete(given["id"], log=log)
    raise ValueError(f"no such change: {action}")
