"""What other processes can do with the account, at /_simulator/, besides what every simulator does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from simkit.control import Commands

from .fullstory import FullStory
from .segments import Segment


def _bundle(fullstory: FullStory, given: dict[str, Any]) -> object:
    """`{"action": "add" | "late" | "remove", …}` with the arguments of the method of that name."""
    action = given.pop("action", "add")
    if action == "late":
        fullstory.late(given["id"], given["seconds"])
    elif action == "remove":
        fullstory.remove_bundle(given["id"])
    else:
        return {"id": fullstory.add_bundle(**given).id}
    return {"id": given["id"]}


def _bundles(fullstory: FullStory, _given: dict[str, Any]) -> object:
    return [
        {"id": b.id, "start": b.start, "stop": b.stop, "rows": len(b.events), "downloads": b.downloads}
        for b in fullstory.bundles
    ]


def _account(fullstory: FullStory, given: dict[str, Any]) -> object:
    """`{"list": "users", "action": "add" | "remove" | "change", "row": …, "id": …}`; without an action, the rows."""
    rows = fullstory.account.rows(given["list"])
    action = given.get("action", "rows")
    if action == "add":
        rows.append(given["row"])
    elif action in {"remove", "change"}:
        place = next((number for number, row in enumerate(rows) if row["id"] == given["id"]), None)
        if place is None:
            raise LookupError(f"no such row: {given['id']}")
        rows[place : place + 1] = [{**rows[place], **given["row"]}] if action == "change" else []
    return rows


def _fill(fullstory: FullStory, given: dict[str, Any]) -> object:
    account = fullstory.fill_account(**given)
    return {"users": len(account.users)}


def _setting(fullstory: FullStory, given: dict[str, Any]) -> object:
    """A new version of a recording setting, with the arguments of `change_setting`."""
    return fullstory.change_setting(**given)


def _operation(fullstory: FullStory, given: dict[str, Any]) -> object:
    """`{"action": "add" | "lose", …}` with the arguments of `add_operation`, or an `id`."""
    if given.pop("action", "add") == "lose":
        fullstory.lose_operation(given["id"])
        return {"id": given["id"]}
    return {"id": fullstory.add_operation(**given).id}


def _segment(fullstory: FullStory, given: dict[str, Any]) -> object:
    return asdict(fullstory.add_segment(Segment(**given)))


def _expire(fullstory: FullStory, given: dict[str, Any]) -> object:
    """`{"id": …}` of an export."""
    fullstory.expire_export(given["id"])
    return {"id": given["id"]}


def _exports(fullstory: FullStory, _given: dict[str, Any]) -> object:
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
        for export in fullstory.exports
    ]


COMMANDS: dict[str, Callable[[FullStory, dict[str, Any]], object]] = {
    "GET bundles": _bundles,
    "POST bundle": _bundle,
    "GET truth": lambda fullstory, _: fullstory.truth(),
    "POST event_truth": lambda fullstory, given: fullstory.event_truth(**given),
    "POST individual_truth": lambda fullstory, given: fullstory.individual_truth(**given),
    "GET exports": _exports,
    "POST expire": _expire,
    "POST segment": _segment,
    "POST operation": _operation,
    "POST account": _account,
    "POST fill": _fill,
    "POST setting": _setting,
    "GET count": lambda fullstory, _: {"count": fullstory.count()},
}


def commands(fullstory: FullStory) -> Commands:
    return {name: partial(command, fullstory) for name, command in COMMANDS.items()}
