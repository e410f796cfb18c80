"""`/_simulator/…`: what tests in the same process do by calling, for other processes. No key needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .faults import Fault
from .messages import Reply, Request
from .segments import Segment

if TYPE_CHECKING:
    from .core import FullStorySimulator

PREFIX = "/_simulator/"
Command = Callable[["FullStorySimulator", dict[str, Any]], object]


def _fault(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    sim.fault(Fault(**given))
    return {"armed": given}


def _change(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    sim.settings.change(**given)
    return _settings(sim, {})


def _settings(sim: FullStorySimulator, _given: dict[str, Any]) -> object:
    return {name: sorted(v) if isinstance(v, frozenset) else v for name, v in asdict(sim.settings).items()}


def _bundle(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    """`{"action": "add" | "late" | "remove", …}` with the arguments of the method of that name."""
    action = given.pop("action", "add")
    if action == "late":
        sim.late(given["id"], given["seconds"])
    elif action == "remove":
        sim.remove_bundle(given["id"])
    else:
        return {"id": sim.add_bundle(**given).id}
    return {"id": given["id"]}


def _bundles(sim: FullStorySimulator, _given: dict[str, Any]) -> object:
    return [
        {"id": b.id, "start": b.start, "stop": b.stop, "rows": len(b.events), "downloads": b.downloads}
        for b in sim.bundles
    ]


def _account(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    """`{"list": "users", "action": "add" | "remove" | "change", "row": …, "id": …}`; without an action, the rows."""
    rows = sim.account.rows(given["list"])
    action = given.get("action", "rows")
    if action == "add":
        rows.append(given["row"])
    elif action in {"remove", "change"}:
        place = next((number for number, row in enumerate(rows) if row["id"] == given["id"]), None)
        if place is None:
            raise LookupError(f"no such row: {given['id']}")
        rows[place : place + 1] = [{**rows[place], **given["row"]}] if action == "change" else []
    return rows


def _fill(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    account = sim.fill_account(**given)
    return {"users": len(account.users)}


def _setting(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    """A new version of a recording setting, with the arguments of `change_setting`."""
    return sim.change_setting(**given)


def _operation(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    """`{"action": "add" | "lose", …}` with the arguments of `add_operation`, or an `id`."""
    if given.pop("action", "add") == "lose":
        sim.lose_operation(given["id"])
        return {"id": given["id"]}
    return {"id": sim.add_operation(**given).id}


def _segment(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    return asdict(sim.add_segment(Segment(**given)))


def _expire(sim: FullStorySimulator, given: dict[str, Any]) -> object:
    """`{"id": …}` of an export."""
    sim.expire_export(given["id"])
    return {"id": given["id"]}


def _exports(sim: FullStorySimulator, _given: dict[str, Any]) -> object:
    return [
        {
            "id": export.id,
            "operation": export.operation.id,
            "type": export.order.kind,
            "window": export.order.window,
            "state": export.operation.state,
            "rows": len(export),
            "downloads": export.downloads,
        }
        for export in sim.exports
    ]


def _requests(sim: FullStorySimulator, _given: dict[str, Any]) -> object:
    return {
        "early": sim.early_requests,
        "requests": [{**asdict(r), "body": r.body.decode(errors="replace")} for r in sim.requests],
    }


def _clear(sim: FullStorySimulator, _given: dict[str, Any]) -> object:
    sim.clear_requests()
    return {}


COMMANDS: dict[tuple[str, str], Command] = {
    ("POST", "fault"): _fault,
    ("GET", "settings"): _settings,
    ("POST", "settings"): _change,
    ("GET", "bundles"): _bundles,
    ("POST", "bundle"): _bundle,
    ("GET", "requests"): _requests,
    ("POST", "clear"): _clear,
    ("GET", "truth"): lambda sim, _: sim.truth(),
    ("POST", "event_truth"): lambda sim, given: sim.event_truth(**given),
    ("POST", "individual_truth"): lambda sim, given: sim.individual_truth(**given),
    ("GET", "exports"): _exports,
    ("POST", "expire"): _expire,
    ("POST", "segment"): _segment,
    ("POST", "operation"): _operation,
    ("POST", "account"): _account,
    ("POST", "fill"): _fill,
    ("POST", "setting"): _setting,
    ("GET", "count"): lambda sim, _: {"count": sim.count()},
}


def answer(sim: FullStorySimulator, request: Request) -> Reply:
    """What the command returned, as JSON; 400 with the reason when it could not be done."""
    command = COMMANDS.get((request.method, request.path.removeprefix(PREFIX)))
    if command is None:
        return Reply.json({"error": f"commands: {', '.join(' '.join(key) for key in COMMANDS)}"}, 404)
    try:
        return Reply.json(command(sim, json.loads(request.body or b"{}")))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        return Reply.json({"error": str(error)}, 400)
