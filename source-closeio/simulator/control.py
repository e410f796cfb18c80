"""The simulator's own addresses under /_simulator/, for other processes: faults, changes, settings, what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from .faults import Fault
from .http_server import Incoming, Outgoing

if TYPE_CHECKING:
    from .simulator import CloseSimulator

ROOT: Final = "/_simulator/"
SETTABLE: Final = {each.name for each in fields(Fault)} - {"seen", "hits"}


def answer(sim: CloseSimulator, incoming: Incoming) -> Outgoing:
    """Do what a control request asks; 400 with a sentence when it makes no sense."""
    action, _, rest = incoming.target.removeprefix(ROOT).partition("?")[0].strip("/").partition("/")
    try:
        body = orjson.loads(incoming.body) if incoming.body else {}
        result = act(sim, incoming.method, action, rest, body)
    except (KeyError, ValueError, TypeError) as error:
        return Outgoing(400, orjson.dumps({"error": f"{type(error).__name__}: {error}"}))
    return Outgoing(200, orjson.dumps(result, option=orjson.OPT_NON_STR_KEYS, default=str))


def act(sim: CloseSimulator, method: str, action: str, rest: str, body: Any) -> Any:
    """One row for each address."""
    acts: dict[str, Callable[[], Any]] = {
        "fault": partial(fault, sim, method, body),
        "change": partial(change, sim, body),
        "settings": partial(settings, sim, method, body),
        "requests": partial(requests, sim, method),
        "truth": partial(truth, sim, rest),
        "counts": lambda: {name: len(collection) for name, collection in sim.data.items() if len(collection)},
    }
    if action not in acts:
        raise ValueError(f"no such action: {action}")
    return acts[action]()


def fault(sim: CloseSimulator, method: str, body: dict[str, Any]) -> Any:
    """POST lets something go wrong, DELETE ends all that."""
    if method == "DELETE":
        return {"cleared": sim.clear_faults()}
    made = sim.fault(Fault(**{name: value for name, value in body.items() if name in SETTABLE}))
    return {"path": made.path, "kind": made.kind}


def settings(sim: CloseSimulator, method: str, body: dict[str, Any]) -> Any:
    """GET tells the settings, POST changes some."""
    if isinstance(body.get("now"), str):
        body["now"] = datetime.fromisoformat(body["now"])
    if method != "GET":
        sim.settings.change(**body)
    return {each.name: plain(getattr(sim.settings, each.name)) for each in fields(sim.settings)}


def truth(sim: CloseSimulator, collection: str) -> Any:
    """The rows of a collection as they are now."""
    return sim.data[collection].rows()


def requests(sim: CloseSimulator, method: str) -> Any:
    """GET tells what was asked, DELETE forgets it."""
    if method == "DELETE":
        sim.clear_requests()
    return [vars(request) for request in list(sim.requests)]


def change(sim: CloseSimulator, body: dict[str, Any]) -> Any:
    """`{"collection": "activity", "action": "add" | "make" | "update" | "delete", "id": …, "row": {…}}`."""
    collection, log = sim.data[body["collection"]], bool(body.get("log", True))
    action, row = body.get("action", "update"), body.get("row") or {}
    if action == "make":
        return collection.add(sim.make(body["collection"], **row), log=log)
    if action == "add":
        return collection.add(row, log=log)
    if action == "update":
        return collection.update(body["id"], row, log=log)
    if action == "delete":
        return collection.delete(body["id"], log=log)
    raise ValueError(f"no such change: {action}")


def plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
