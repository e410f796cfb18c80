"""The organization that a simulator starts with: the same for the same seed, size and clock.

Rows refer to each other: a lead's contacts, opportunities and tasks are the ones in their own lists, activities
belong to leads and users, events tell of objects that exist (and of deleted ones that do not).
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from . import activities, definitions, objects
from .endpoints import ACTIVITY_TYPES, NAIVE, TASK_TYPES, object_type, prefix_of
from .ids import Ids
from .moments import DAY, SECOND, naive, to_milliseconds, zoned
from .settings import Settings
from .store import Bulk, Collection, Row
from .templates import Generated, Template, filled

NESTED_MOST: Final = 5
YEAR: Final = 365 * DAY


class World:
    """Makes the bulk of each large collection and the rows of the small ones."""

    def __init__(self, settings: Settings, now: int, data: Mapping[str, Collection]) -> None:
        self.settings, self.now = settings, to_milliseconds(now)
        self._data = data
        self._ids: dict[str, Ids] = {}
        self._known: dict[str, Callable[[int], str]] = {}
        self.rng = random.Random(settings.seed)
        self.start = self.now - settings.days * DAY
        self.leads = max(1, settings.leads)
        self.counts = {
            "lead": settings.leads,
            "contact": settings.leads * 3 // 2,
            "opportunity": settings.leads * 2 // 3,
            "task": settings.tasks,
            "activity": settings.activities,
            "event": settings.events,
        }
        self.fields = {name: self._custom_fields(name) for name in FIELD_OWNERS}
        self.users = [self._user(number) for number in range(max(1, settings.users))]
        self.organization = self.id("organization", 0)

    # -- ids ----------------------------------------------------------------------------------------------

    def ids(self, collection: str) -> Ids:
        if collection not in self._ids:
            name = collection.partition("/")[2] if collection.startswith("custom_field/") else ""
            self._ids[collection] = Ids(prefix_of(collection), self.settings.seed + sum(name.encode()))
        return self._ids[collection]

    def id(self, collection: str, number: int) -> str:
        return self.ids(collection).of(number)

    def _remembered(self, collection: str) -> Callable[[int], str]:
        if collection not in self._known:
            self._known[collection] = lru_cache(100_000)(self.ids(collection).of)
        return self._known[collection]

    # -- the large collections ----------------------------------------------------------------------------

    def bulk(self, collection: str) -> Bulk | None:
        """The generated rows of a collection, or None when it has none."""
        if not self.counts.get(collection):
            return None
        if collection == "event":
            return Events(self)
        templates = self._templates(collection)
        created, updated = self._moments(collection, templates)
        moments = {"date_created": created, "date_updated": updated}
        if collection == "activity":
            moments["activity_at"] = created
        lists = {name: self._nested(name) for name in ("contact", "opportunity", "task")}
        lists = {"contacts": lists["contact"], "opportunities": lists["opportunity"], "tasks": lists["task"]}
        lists["contact_ids"] = self._nested_ids("contact")
        return Generated(self.ids(collection), templates, moments, self._fills(collection, created, updated), lists)

    def _templates(self, collection: str) -> list[Template]:
        rng = random.Random(f"{self.settings.seed}/{collection}")
        if collection == "activity":
            made = [self._activity(kind.literal, rng) for kind in ACTIVITY_TYPES for _ in range(weight(kind.literal))]
            rng.shuffle(made)
            return first_of_each(made)
        if collection == "task":
            return [Template(objects.task(kind, rng)) for _ in range(6) for kind in (*TASK_TYPES, "lead", "lead")]
        make = {"lead": objects.lead, "contact": objects.contact, "opportunity": objects.opportunity}[collection]
        return [Template(make(rng) | self.custom_values(collection, rng)) for _ in range(40)]

    def _activity(self, kind: str, rng: random.Random) -> Template:
        row = activities.activity(kind, rng)
        if kind == "Email":
            row |= activities.bodies(rng, self.settings.mail_bytes)
        if kind == "CustomActivity":
            row |= self.custom_values("custom_activity_type", rng)
        if kind == "Call" and rng.random() < 0.3:
            row |= self.custom_values("activity", rng)
        return Template(row, activities.hidden(kind))

    def custom_values(self, owner: str, rng: random.Random) -> Row:
        """`custom.cf_…` keys, present only when set, for some of the fields of an owner."""
        own = [each for each in self._fields_of(owner) if rng.random() < 0.5]
        return {f"custom.{each['id']}": objects.custom_value(each, rng) for each in own}

    def _fields_of(self, owner: str) -> list[Row]:
        shared = [each for each in self.fields["shared"] if owner in {a["object_type"] for a in each["associations"]}]
        if owner not in ("activity", "custom_activity_type"):
            return [*self.fields[owner], *shared]
        typed = owner == "custom_activity_type"
        return [each for each in self.fields["activity"] if typed == ("custom_activity_type_id" in each)] + shared

    def _moments(self, collection: str, templates: Sequence[Template]) -> tuple[array[int], array[int]]:
        count, rng = self.counts[collection], random.Random(f"{self.settings.seed}/{collection}/moments")
        created = self.spread(count, self.start, self.now - 60 * SECOND, rng)
        updated, last = array("q", created), self.now - 30 * SECOND
        if collection == "activity":
            bursts(created)
        for slot in range(count):
            moment = created[slot] + int(rng.random() ** 8 * 30 * DAY)
            updated[slot] = to_milliseconds(moment if moment < last else max(created[slot], last - slot % 1000 * 1000))
        if collection == "activity":
            for slot in range(count):
                created[slot] = shifted(templates[slot % len(templates)].kind, slot, created[slot], self.now, rng)
        return created, updated

    def spread(self, count: int, start: int, end: int, rng: random.Random) -> array[int]:
        """Ascending moments, some of them at a full second."""
        step, draw = (end - start) / max(1, count), rng.random
        return array(
            "q",
            (
                int(start + (slot + draw()) * step) // 1000 * 1000
                if slot % 10
                else int(start + slot * step + 0.5) // SECOND * SECOND
                for slot in range(count)
            ),
        )

    # -- what templates are filled with -------------------------------------------------------------------

    def _fills(self, collection: str, created: array[int], updated: array[int]) -> dict[str, Callable[[int], str]]:
        own, lead, contact = self.ids(collection), self._remembered("lead"), self._remembered("contact")
        users, count = self.users, len(self.users)
        names = [f"{user['first_name']} {user['last_name']}" for user in users]
        stamp = naive if collection in NAIVE else zoned
        types = [self.id("custom_activity", number) for number in range(2)]
        return {
            "id": own.of,
            "created": lambda slot: stamp(created[slot]),
            "updated": lambda slot: stamp(updated[slot]),
            "ends": lambda slot: stamp(created[slot] + 1800 * SECOND),
            "day": lambda slot: zoned(created[slot])[:10],
            "lead": lambda slot: lead(slot % self.leads),
            "contact": lambda slot: contact(slot % self.leads),
            "opportunity": lambda slot: self.id("opportunity", slot % self.leads),
            "task": lambda slot: self.id("task", slot % max(1, self.counts["task"])),
            "user": lambda slot: users[slot % count]["id"],
            "user_name": lambda slot: names[slot % count],
            "organization": lambda slot: self.organization,  # noqa: ARG005 - the same for all
            "activity_type": lambda slot: types[slot % 2],
            **{name: constantly(self.id(name, 0)) for name in ("custom_object_type", "sequence", "comment_thread")},
        }

    def _nested(self, name: str) -> Callable[[int], bytes]:
        """The children of lead number `slot`, as a JSON list."""

        def children(slot: int) -> bytes:
            collection = self._data[name]
            chosen = range(slot, self.counts[name], self.leads)[:NESTED_MOST]
            present = (child for child in chosen if collection.has_slot(child))
            return b"[" + b",".join(collection.raw(child) for child in present) + b"]"

        return children

    def _nested_ids(self, name: str) -> Callable[[int], bytes]:
        def ids(slot: int) -> bytes:
            nested = orjson.loads(self._nested(name)(slot))
            return orjson.dumps([child["id"] for child in nested])

        return ids

    def marks(self, collection: str, number: int, created: int, updated: int) -> dict[str, Any]:
        """The same for one row made by hand."""
        fills = self._fills(collection, array("q", [created]), array("q", [updated]))
        found: dict[str, Any] = {name: fill(0) for name, fill in fills.items()}
        own = self.ids(collection).of(number)
        return found | {"id": own}

    # -- small collections --------------------------------------------------------------------------------

    def small_rows(self) -> Iterator[tuple[str, Row]]:
        """Rows of the small collections: definitions, people, templates, accounts, jobs."""
        if not self.settings.definitions:
            return
        counts: dict[str, int] = {}
        for collection, row in definitions.all_rows():
            number = counts[collection] = counts.get(collection, -1) + 1
            created = to_milliseconds(self.start - 50 * DAY + sum(counts.values()) * DAY // 7)
            key = {} if "id" in row or collection == "unsubscribe/email" else {"id": "{{id}}"}
            yield collection, filled(row | key, self.marks(collection, number, created, created + number * DAY))

    def _user(self, number: int) -> Row:
        rng = random.Random(f"{self.settings.seed}/user/{number}")
        created = self.start - (number + 1) * DAY + number * 1_234_000
        moments = {"created": zoned(created), "updated": zoned(created + number * 40 * DAY)}
        marks = moments | {"id": self.id("user", number), "organization": self.id("organization", 0)}
        return filled(objects.user(rng), marks)

    def _custom_fields(self, owner: str) -> list[Row]:
        wanted = self.settings.custom_fields
        wanted = min(wanted, 2) if owner in ("custom_object_type", "shared") else wanted
        return [self.custom_field(owner, number) for number in range(wanted)]

    def custom_field(self, owner: str, number: int) -> Row:
        """The definition of one custom field."""
        kind, multiple = objects.FIELD_TYPES[number % len(objects.FIELD_TYPES)]
        row = objects.custom_field(kind, multiple, number)
        created = to_milliseconds(self.start - 100 * DAY + number * DAY + number * 7_000)
        collection = f"custom_field/{owner}"
        marks: dict[str, Any] = {
            "id": self.id(collection, number),
            "created": zoned(created),
            "updated": zoned(created + number * DAY // 2),
            "user": self.id("user", 0),
            "organization": self.id("organization", 0),
        }
        row = filled(row, marks)
        if owner == "lead" and number == 2:
            row["id"] = "lcf_" + row["id"][3:]
        return row | self.owner_of_field(owner, number)

    def owner_of_field(self, owner: str, number: int) -> Row:
        if owner == "activity" and number % 3 < 2:
            return {"custom_activity_type_id": self.id("custom_activity", number % 3)}
        if owner == "custom_object_type":
            return {"custom_object_type_id": self.id("custom_object_type", 0)}
        if owner == "shared":
            return {"is_shared": True, "associations": self._associations(number)}
        return {}

    def _associations(self, number: int) -> list[Row]:
        if number % 2:
            activity = {"custom_activity_type_id": self.id("custom_activity", 0), "object_type": "custom_activity_type"}
            thing = {"custom_object_type_id": self.id("custom_object_type", 0), "object_type": "custom_object_type"}
            return [{"object_type": "lead"}, activity, thing]
        return [{"object_type": each} for each in ("lead", "contact", "opportunity")]


FIELD_OWNERS: Final = ("lead", "contact", "opportunity", "activity", "custom_object_type", "shared")


def constantly(text: str) -> Callable[[int], str]:
    return lambda _: text


def weight(kind: str) -> int:
    return activities.WEIGHTS.get(kind, 2)


def first_of_each(templates: list[Template]) -> list[Template]:
    """One of each kind first, so that a small organization has every kind too."""
    leading: dict[str, Template] = {}
    for template in templates:
        leading.setdefault(template.kind, template)
    rest = [template for template in templates if template is not leading[template.kind]]
    return [*leading.values(), *rest]


def bursts(created: array[int]) -> None:
    """Imports write many rows at once: runs that share a millisecond, then runs that share a second."""
    size = min(40, len(created) // 10)
    for start in range(0, len(created) - 2 * size, 600):
        moment = created[start] // SECOND * SECOND
        for at in range(size):
            created[start + at] = moment + 123_000
            created[start + size + at] = moment + SECOND + at % 25 * 40_000


def shifted(kind: str, slot: int, moment: int, now: int, rng: random.Random) -> int:
    """Mail is back-dated when a mailbox is connected; meetings are dated when they take place."""
    if kind == "Email" and slot % 40 == 7:
        return to_milliseconds(moment - int(rng.random() * 4 * YEAR)) // SECOND * SECOND
    if kind == "Meeting" and slot % 3 == 0:
        return to_milliseconds(now + DAY + int(rng.random() * 3 * YEAR)) // SECOND * SECOND
    return moment


class Events:
    """The generated event log: events of the last 30 days about generated objects."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.count = world.counts["event"]
        rng = random.Random(f"{world.settings.seed}/event")
        self._updated = world.spread(self.count, world.now - 30 * DAY + 3600 * SECOND, world.now - SECOND, rng)
        self._created = array("q", self._updated)
        for slot in range(3, self.count, 7):  # consolidated: a later change moved date_updated
            self._created[slot] -= slot % 60 * SECOND
        self._ids = world.ids("event")
        self._bodies: list[tuple[str, str, str, str]] = [
            (object_type(name, kind), action, name, kind)
            for name, kind in self._objects()
            for action in ("created", "updated", "updated", "deleted")
        ]
        rng.shuffle(self._bodies)
        self._template = Template(
            objects.event(rng)
            | {name: f"{{{{{name}}}}}" for name in ("object_type", "action", "object_id", "lead_id", "user_id")}
            | {name: f"{{{{*{name}}}}}" for name in ("data", "previous_data", "changed_fields")}
        )

    def _objects(self) -> list[tuple[str, str]]:
        counts = self._world.counts
        kinds = [("activity", each.literal) for each in ACTIVITY_TYPES] + [
            ("task", "lead"),
            ("task", "missed_call"),
        ]
        kinds += [("lead", ""), ("contact", ""), ("opportunity", "")]
        return [each for each in kinds if counts[each[0]] >= 150 or each[1] == ""] or [("lead", "")]

    def _object(self, slot: int) -> tuple[str, str, str, str, bytes]:
        """Object type, action, id, lead id and the object itself."""
        kind, action, name, wanted = self._bodies[slot % len(self._bodies)]
        collection, world = self._world._data[name], self._world  # noqa: SLF001 - same module
        raw, number = self._pick(collection, name, wanted, slot)
        lead_id = world.id("lead", number % world.leads)
        id_ = world.id(name, number)
        if action == "deleted":
            gone = world.id(name, 2**50 + slot)
            raw, id_ = raw.replace(id_.encode(), gone.encode()), gone
        return kind, action, id_, id_ if name == "lead" else lead_id, raw

    def _pick(self, collection: Collection, name: str, wanted: str, slot: int) -> tuple[bytes, int]:
        """An object of the wanted kind that was made at about the time of the event."""
        bulk = collection.bulk
        if not isinstance(bulk, Generated):
            return b"{}", slot
        world, cycle = self._world, len(bulk.templates)
        share = (self._updated[slot] - world.start) / max(1, world.now - world.start)
        number = int(max(0.0, min(1.0, share)) * (bulk.count - 1))
        places = [at for at in range(cycle) if not wanted or bulk.templates[at].kind == wanted]
        at = number // cycle * cycle + places[slot % len(places)]
        while at >= bulk.count:
            at -= cycle
        at = max(0, at)
        return bulk.raw(at), at

    # -- the protocol of generated rows -------------------------------------------------------------------

    def raw(self, slot: int) -> bytes:
        kind, action, id_, lead_id, raw = self._object(slot)
        data = b"null" if action == "deleted" else raw
        previous = {"created": b"{}", "updated": b'{"note":"before","custom.cf_x":null}', "deleted": raw}[action]
        texts = {
            "id": self._ids.of(slot),
            "created": naive(self._created[slot]),
            "updated": naive(self._updated[slot]),
            "organization": self._world.organization,
            "object_type": kind,
            "action": action,
            "object_id": id_,
            "lead_id": lead_id,
            "user_id": self._user(slot),
        }
        parts = {name: text.encode() for name, text in texts.items()}
        parts |= {"*data": data, "*previous_data": previous}
        parts["*changed_fields"] = b'["note","custom.cf_x"]' if action == "updated" else b"[]"
        return self._template.body % tuple([parts[mark] for mark in self._template.marks])

    def _user(self, slot: int) -> str:
        return str(self._world.users[slot % len(self._world.users)]["id"])

    def part(self, slot: int, name: Any, pick: Callable[[Row], Row]) -> bytes:
        return orjson.dumps(pick(orjson.loads(self.raw(slot))))

    def hidden(self, slot: int) -> Row:
        return {}

    def id_of(self, slot: int) -> str:
        return self._ids.of(slot)

    def slot_of(self, id_: str) -> int | None:
        number = self._ids.number_of(id_)
        return number if number is not None and number < self.count else None

    def kind_of(self, slot: int) -> str:
        kind, action, _, _ = self._bodies[slot % len(self._bodies)]
        return f"{kind}/{action}"

    def moments(self, name: str) -> array[int] | None:
        return {"date_updated": self._updated, "date_created": self._created}.get(name)

    def value(self, slot: int, name: str) -> Any:
        kind, action, _, _ = self._bodies[slot % len(self._bodies)]
        if name in ("object_type", "action"):
            return kind if name == "object_type" else action
        if name == "user_id":
            return self._user(slot)
        if name in ("object_id", "lead_id"):
            return self._object(slot)[2 if name == "object_id" else 3]
        return orjson.loads(self.raw(slot)).get(name)
