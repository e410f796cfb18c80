"""Answers of the list endpoints: one page of rows, cut out of a live list.

`_skip` and `_limit` as on https://developer.close.com/api/overview/pagination; both have maxima that Close does not
publish.  Pages read the data as it is at that moment, so rows that come or go between two pages move the offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from .endpoints import ACTIVITY_TYPES, CUSTOM_FIELD_TYPES, Endpoint
from .errors import Refusal, bad_field, bad_request, not_found
from .lists import Answers, Params, Span, Test, Wanted, bounds, truth, values
from .moments import DAY, NULL, parse_loosely
from .settings import Settings
from .store import Collection, Kinds

THREAD: Final = "EmailThread"
SLIM: Final = (
    "body_text",
    "body_html",
    "body_text_quoted",
    "body_html_quoted",
    "attachments",
    "send_attempts",
)
BOOLEANS: Final = ("is_complete", "is_archived", "is_shared", "is_stalled", "is_group_number")


class Pages:
    """Answers `GET` on the endpoints of the table."""

    def __init__(self, settings: Settings, data: Mapping[str, Collection], now: Callable[[], int]) -> None:
        self._settings, self._data, self._now = settings, data, now
        self._answers = Answers()
        self._told: set[tuple[str, str]] = set()

    def page(self, endpoint: Endpoint, params: Params) -> bytes:
        """The body of a list answer; raises Refusal."""
        collection = self._data[endpoint.source]
        skip, limit = self._window(endpoint, params)
        wanted = self._wanted(endpoint, collection, params)
        slots, total = self._answers.find(collection, wanted, skip, limit)
        self._refuse_deleted(collection, wanted, slots)
        more = skip + len(slots) < total
        return self._body(endpoint, collection, slots, params, total, more)

    def one(self, collection: Collection, id_: str, params: Params) -> bytes:
        """The body of `GET /collection/id/`."""
        slot = collection.slot_of(id_)
        if slot is None:
            raise not_found(f"Empty query: {collection.name.title()} matching query does not exist.")
        return self._row(collection, slot, fields_of(params))

    # -- paging -------------------------------------------------------------------------------------------

    def _window(self, endpoint: Endpoint, params: Params) -> tuple[int, int]:
        if endpoint.paging == "none":
            return 0, 1_000_000
        settings = self._settings
        skip, limit = whole(params, "_skip", 0), whole(params, "_limit", 100)
        most = settings.longest(settings.max_limits, endpoint.path)
        if most is not None and limit > most:
            raise self._too_large("limit", most)
        if skip > settings.skip_cap:
            raise self._too_large("skip", settings.skip_cap)
        return skip, limit

    def _too_large(self, what: str, most: int) -> Refusal:
        if self._settings.cap_wording == "new":
            return bad_field(f"_{what}", f"Input should be less than or equal to {most}")
        return bad_request(
            f"The {what} you set is larger than the maximum {what} for this resource (max_{what} = {most}). "
            "Please refine your search query."
        )

    # -- filters ------------------------------------------------------------------------------------------

    def _wanted(self, endpoint: Endpoint, collection: Collection, params: Params) -> Wanted:
        for names in [endpoint.needs_one_of]:
            if names and not any(params.get(name) or params.get(f"{name}__in") for name in names):
                raise bad_request(f"One of {', '.join(names)} is required.")
        order, descending = self._order(endpoint, params)
        spans, tests, key = self._spans(endpoint, params, order), [], []
        for name, wanted in self._equals(endpoint, params):
            tests.append(is_one_of(collection, name, wanted))
            key.append((name, tuple(sorted(wanted))))
        if endpoint.omit_shared and not endpoint.path.endswith("shared"):
            tests.append(lambda slot: not collection.value(slot, "is_shared"))
        return Wanted(
            kinds=self._kinds(endpoint, params),
            order=order,
            descending=descending,
            spans=spans,
            tests=tuple(tests),
            tests_key=repr(key),
            ids=self._ids(params),
        )

    def _ids(self, params: Params) -> tuple[str, ...] | None:
        if params.get("id__in") in (None, ""):
            return None
        ids = tuple(values(params["id__in"]))
        if self._settings.max_ids and len(ids) > self._settings.max_ids:
            raise bad_field("id__in", "List is too long.")
        return ids[: self._settings.answered_ids or None]

    def _order(self, endpoint: Endpoint, params: Params) -> tuple[str, bool]:
        asked = str(params.get("_order_by") or "")
        name = asked.lstrip("-")
        if endpoint.collection == "activity":  # only date_created, newest first; activity_at within one lead
            return ("activity_at" if asked == "-activity_at" and params.get("lead_id") else "date_created"), True
        if asked and name in endpoint.orders:
            return name, asked.startswith("-")
        if asked and self._settings.odd_order == "400" and endpoint.orders:
            raise bad_field("_order_by", f"'{name}' is not a valid choice.")
        return endpoint.order.lstrip("-"), endpoint.order.startswith("-")

    def _spans(self, endpoint: Endpoint, params: Params, order: str) -> tuple[tuple[str, Span], ...]:
        by_second = endpoint.by_second and self._settings.precision == "truncate"
        spans = []
        for name in endpoint.dates:
            if endpoint.collection == "activity" and name != order:
                continue  # "you can only use the date-based filters of the field you're currently sorting on"
            span = bounds(params, name, by_second=by_second)
            if span:
                spans.append((name, span))
        if endpoint.path == "task" and params.get("view") in ("inbox", "future"):
            tomorrow = self._now() // DAY * DAY + DAY
            spans = [each for each in spans if each[0] != "date"]
            spans.append(("date", (NULL, tomorrow) if params["view"] == "inbox" else (tomorrow, 2**62)))
        return tuple(spans)

    def _equals(self, endpoint: Endpoint, params: Params) -> list[tuple[str, set[str]]]:
        names = [name for name in endpoint.equals if name != "id"]
        if params.get("lead_id") or params.get("lead_id__in"):
            names += [name for name in endpoint.with_lead if name != "_type"]
        found = []
        for name in names:
            asked = {*values(params.get(name) or []), *values(params.get(f"{name}__in") or [])}
            if asked:
                found.append((name, {str(truth(each)) for each in asked} if name in BOOLEANS else asked))
        if endpoint.path == "task" and params.get("view"):
            found.append(("is_complete", {str(params["view"] == "archive")}))
        if "id" in endpoint.equals and params.get("id"):
            found.append(("id", {str(params["id"])}))
        if self._settings.archived_hidden and "is_archived" in names and "is_archived" not in dict(found):
            found.append(("is_archived", {"False", "None"}))
        if endpoint.path == "send_as" and not found:  # "allowing_user_id = caller is assumed"
            found.append(("allowing_user_id", {row["id"] for row in self._data["user"].rows()[:1]}))
        if endpoint.path == "saved_search" and not any(name == "type" for name, _ in found):
            found.append(("type", {"lead"}))  # "default only lead"
        return found

    def _kinds(self, endpoint: Endpoint, params: Params) -> Kinds:
        if endpoint.path == "task":
            asked = {*values(params.get("_type") or []), *values(params.get("_type__in") or [])} or {"lead"}
            return None if "all" in asked else frozenset(asked)
        if endpoint.path == "activity":
            return self._activity_kinds(params)
        return frozenset(endpoint.kinds) or None

    def _activity_kinds(self, params: Params) -> Kinds:
        """`thread_emails`: absent is a row per mail, `true` is threads too, `only` is threads instead of mails."""
        threads = params.get("thread_emails")
        literals = {each.literal for each in ACTIVITY_TYPES}
        if threads == "only":
            literals.discard("Email")
        elif threads != "true" and not self._settings.threads_in_activity_list:
            literals.discard(THREAD)
        asked = {*values(params.get("_type") or []), *values(params.get("_type__in") or [])}
        if asked and (params.get("lead_id") or params.get("lead_id__in")):
            if "Custom" in asked:
                asked.add("CustomActivity")
            literals &= asked
        return frozenset(literals)

    # -- bodies -------------------------------------------------------------------------------------------

    def _refuse_deleted(self, collection: Collection, wanted: Wanted, slots: list[int]) -> None:
        """A list page may meet a document that was deleted a moment ago and answer 404."""
        mode = self._settings.deleted_document
        if mode == "off" or collection.name != "activity" or wanted.ids is not None:
            return
        place = [collection.moment(slot, wanted.order) for slot in slots]
        for row in collection.deleted:
            key = (collection.name, str(row["id"]))
            was = parse_loosely(row.get(wanted.order))
            if wanted.kinds is not None and row["_type"] not in wanted.kinds:
                continue
            if place and min(place) <= was <= max(place) and (mode == "stay" or key not in self._told):
                self._told.add(key)
                raise not_found("Empty query: Document has been deleted.")

    def _body(
        self,
        endpoint: Endpoint,
        collection: Collection,
        slots: list[int],
        params: Params,
        total: int,
        more: bool,
    ) -> bytes:
        fields = fields_of(params)
        if fields:
            rows = [self._row(collection, slot, fields) for slot in slots]
        elif endpoint.path == "activity" and params.get("thread_emails") == "true":
            rows = [slim(collection.raw(slot), collection.kind_of(slot)) for slot in slots]
        elif endpoint.detail_only:
            rows = [collection.part(slot, "list", lambda row: without(row, endpoint.detail_only)) for slot in slots]
        else:
            rows = [collection.raw(slot) for slot in slots]
        body = b'{"data":[' + b",".join(rows) + b"]"
        if endpoint.paging == "offset" and self._settings.has_more:
            body += b',"has_more":' + (b"true" if more else b"false")
        if endpoint.total:
            body += b',"total_results":%d' % total
        return body + b"}"

    def _row(self, collection: Collection, slot: int, fields: list[str]) -> bytes:
        if not fields:
            return collection.raw(slot)
        return collection.part(slot, ",".join(fields), lambda row: pick(row, fields))


def pick(row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """`_fields=id,name,custom`: unknown names are ignored; `custom` is every custom field."""
    if "_all" in fields:
        return row
    picked = {name: row[name] for name in fields if name in row}
    if "custom" in fields:
        picked |= {name: value for name, value in row.items() if name.startswith("custom.")}
    return picked


def without(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def slim(raw: bytes, kind: str) -> bytes:
    """Mails beside their threads come without their text."""
    if kind != "Email":
        return raw
    return orjson.dumps(without(orjson.loads(raw), SLIM))


def fields_of(params: Params) -> list[str]:
    return values(params.get("_fields") or [])


def whole(params: Params, name: str, default: int) -> int:
    text = params.get(name)
    if text in (None, ""):
        return default
    try:
        number = int(str(text))
    except ValueError:
        raise bad_field(name, "Input should be a valid integer") from None
    if number < 0:
        raise bad_field(name, "Input should be greater than or equal to 0")
    return number


def is_one_of(collection: Collection, name: str, wanted: set[str]) -> Test:
    return lambda slot: str(collection.value(slot, name)) in wanted


def schema_of(data: Mapping[str, Collection], object_type: str, id_: str) -> bytes:
    """`GET /custom_field_schema/{object_type}/`: the regular fields of a type and the shared ones it uses."""
    if object_type not in CUSTOM_FIELD_TYPES or object_type == "shared":
        raise not_found()
    own = data[f"custom_field/{object_type}"].rows()
    if id_:
        key = "custom_activity_type_id" if object_type == "activity" else "custom_object_type_id"
        own = [row for row in own if row.get(key) == id_]
    shared = [row for row in data["custom_field/shared"].rows() if uses(row, object_type, id_)]
    ids = {row["id"] for row in own}
    return orjson.dumps({"fields": own + [row for row in shared if row["id"] not in ids]})


def uses(shared: dict[str, Any], object_type: str, id_: str) -> bool:
    for each in shared.get("associations") or []:
        named = "custom_activity_type" if object_type == "activity" else object_type
        if each.get("object_type") == named and (not id_ or id_ in each.values()):
            return True
    return False
