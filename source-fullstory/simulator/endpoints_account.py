"""The endpoints of everything but events: lists, histories, single objects."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from simkit.faults import Fault
from simkit.reply import Reply
from simkit.request import Request

from .account import SCOPES
from .errors import BadRequest
from .fullstory import FullStory
from .operations import KINDS as OPERATIONS
from .operations import STATES
from .paging import Pages, limit
from .recording_settings import KINDS

V1 = Pages()
OPERATION_PAGES = Pages(default=100)
WEBHOOKS = Pages(parameter="pagination_token")
V2 = Pages(parameter="page_token", field="next_page_token")


def users(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Everyone, or who fits the filters. There is no `limit`; the size of a page is not documented."""
    given = request.params
    found = fullstory.account.find_users(given.get("uid", ""), given.get("email", ""))
    if name := given.get("display_name"):
        found = [row for row in found if row["display_name"] == name]
    if identified := given.get("is_identified"):
        found = [row for row in found if bool(row["uid"]) == (identified == "true")]
    if given.get("include_schema") == "true":
        found = [{**row, "schema": {"properties": {}}, "type_conflicts": {}} for row in found]
    pages = Pages("page_token", "next_page_token", fullstory.settings.user_page_size, None)
    page, token = pages.page(found, request, fullstory.settings)
    return Reply.json({"results": page, "total_records": str(len(found)), **token})


def sessions(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """The latest of one person. "Pagination is not currently supported" (developer.fullstory.com, "List sessions")."""
    uid, email, own = (request.params.get(name, "") for name in ("uid", "email", "session_uid"))
    if not (uid or email or own):
        raise BadRequest("one of uid, email and session_uid is required")
    if own:
        found = [row for rows in fullstory.account.sessions.values() for row in rows if row["id"] == own]
    else:
        people = fullstory.account.find_users(uid, email)
        found = [row for person in people for row in fullstory.account.sessions.get(person["id"], ())]
    found.sort(key=lambda row: str(row["created_time"]), reverse=True)
    return Reply.json({"results": found[: limit(request, 20)]})


def segments(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """All, or those of one `creator`."""
    rows = [segment.listed(fullstory.settings.org_id) for segment in list(fullstory.segments.values())]
    creator = request.params.get("creator")
    return _list(fullstory, request, V1, "segments", [row for row in rows if not creator or row["creator"] == creator])


def operations(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """All, exports among them. In which order is not documented."""
    wanted = {name: request.params.get(name, "") for name in ("state", "type")}
    for name, known in (("state", STATES), ("type", OPERATIONS)):
        if wanted[name] and wanted[name] not in known:
            raise BadRequest(f"{name}: {wanted[name]!r} is not one of {', '.join(known)}")
    with fullstory.operations.lock:
        found = fullstory.operations.all()
        for operation in found:
            operation.look(fullstory.settings, fullstory.now(), polled=False)
        rows = [operation.shown(fullstory.settings) for operation in found]
    if fullstory.settings.operation_order == "oldest":
        rows.reverse()
    if fullstory.settings.operation_order == "unordered":
        Random(fullstory.settings.seed).shuffle(rows)
    rows = [row for row in rows if all(not value or row.get(name) == value for name, value in wanted.items())]
    return _list(fullstory, request, OPERATION_PAGES, "operations", rows)


def recording(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """The setting as it is now."""
    kind, platform = _kind(fullstory, request)
    return v1(fullstory, fullstory.recording.versions(kind, platform)[0])


def history(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Every version, newest first. The examples spell the token in one way, the schema in another."""
    kind, platform = _kind(fullstory, request)
    parameter = "paginationToken"
    if fullstory.settings.history_parameter == "either" and "pagination_token" in request.params:
        parameter = "pagination_token"
    versions = fullstory.recording.versions(kind, platform)
    pages = Pages(parameter, fullstory.settings.history_token)
    page, token = pages.page(versions, request, fullstory.settings)
    return Reply.json({"versions": spelled(page, fullstory.settings.names), **token})


def webhook_endpoints(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Where events are sent."""
    return _list(fullstory, request, WEBHOOKS, "endpoints", fullstory.account.webhook_endpoints)


def webhook_event_types(fullstory: FullStory, _request: Request, _fault: Fault) -> Reply:
    """What can be sent; no pages."""
    return v1(fullstory, {"eventDefs": fullstory.account.webhook_event_types})


def quotas(fullstory: FullStory, _request: Request, _fault: Fault) -> Reply:
    """How much of what was bought is used."""
    return Reply.json(fullstory.account.quotas)


def element_block_rules(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """The newer face of privacy settings."""
    page, token = V2.page(fullstory.account.element_block_rules, request, fullstory.settings)
    return Reply.json({"results": page, **token})


def extraction_rules(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Those of one scope, archived ones if they are asked for; no pages."""
    scope = request.params.get("scope", "")
    if scope not in SCOPES:
        raise BadRequest(f"scope: {scope!r} is not one of {', '.join(SCOPES)}")
    archived = request.params.get("include_archived") == "true"
    rows = [
        row for row in fullstory.account.extraction_rules if row["scope"] == scope and (archived or not row["archived"])
    ]
    return Reply.json({"rules": rows})


def datasets(fullstory: FullStory, _request: Request, _fault: Fault) -> Reply:
    """All; no pages."""
    return Reply.json({"datasets": fullstory.account.datasets})


def session_profiles(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """How sessions are summed up."""
    page, token = V2.page(fullstory.account.session_profiles, request, fullstory.settings)
    return Reply.json({"profiles": page, **token})


def v1(fullstory: FullStory, value: dict[str, Any]) -> Reply:
    """An answer of version 1: camelCase in the examples, snake_case in the schemas."""
    return Reply.json(spelled(value, fullstory.settings.names))


def spelled(value: Any, names: str) -> Any:
    """The value with its names in that spelling."""
    if names == "camel":
        return value
    if isinstance(value, list):
        return [spelled(item, names) for item in value]
    if isinstance(value, dict):
        return {re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", key): spelled(v, names) for key, v in value.items()}
    return value


def _list(fullstory: FullStory, request: Request, pages: Pages, name: str, rows: list[dict[str, Any]]) -> Reply:
    page, token = pages.page(rows, request, fullstory.settings)
    return v1(fullstory, {name: page, **token})


def _kind(fullstory: FullStory, request: Request) -> tuple[str, str]:
    kind = request.path.split("/")[4]
    platforms = KINDS[kind][1]
    platform = request.params.get("platform", "")
    if platforms == ("",):
        return kind, ""
    if platform not in platforms and (platform or fullstory.settings.platform_required):
        raise BadRequest(f"platform: {platform!r} is not one of {', '.join(platforms)}")
    return kind, platform
