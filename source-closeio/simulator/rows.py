"""Rows made by hand: complete ones of every kind, with the fields that a test gives, not yet stored."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from . import activities, objects
from .endpoints import ACTIVITY_TYPES, NAIVE
from .moments import naive, parse, to_micros, to_milliseconds, zoned
from .settings import Settings
from .store import Collection, Row
from .templates import filled
from .world import World

FIRST_MADE: Final = 2**41


class Rows:
    """Makes rows; `data` holds those that are stored, by collection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.data: dict[str, Collection] = {}
        self._numbers = itertools.count(FIRST_MADE)
        self._world = World(settings, self.micros(), self.data)
        self._rng = random.Random(settings.seed)

    def now(self) -> datetime:
        """The server's clock, in UTC."""
        return (self.settings.now or datetime.now(UTC)).astimezone(UTC)

    def micros(self) -> int:
        return to_micros(self.now())

    def make_activity(self, type: str = "Note", **fields: Any) -> Row:  # noqa: A002 - the API's word
        """A complete activity of a type (`Note`, `note` or `activity.note`), not yet stored."""
        names = {each.path: each.literal for each in ACTIVITY_TYPES}
        names |= {f"activity.{each.object_type}": each.literal for each in ACTIVITY_TYPES}
        return self._made("activity", activities.activity(names.get(type, type), self._rng), fields)

    def make_lead(self, **fields: Any) -> Row:
        """A complete lead without contacts, opportunities and tasks."""
        return self._made("lead", objects.lead(self._rng), fields)

    def make_contact(self, **fields: Any) -> Row:
        return self._made("contact", objects.contact(self._rng), fields)

    def make_opportunity(self, **fields: Any) -> Row:
        return self._made("opportunity", objects.opportunity(self._rng), fields)

    def make_task(self, type: str = "lead", **fields: Any) -> Row:  # noqa: A002 - the API's word
        """A complete task of a type, e.g. `lead` or `missed_call`."""
        return self._made("task", objects.task(type, self._rng), fields)

    def make_user(self, **fields: Any) -> Row:
        return self._made("user", objects.user(self._rng), fields)

    def make_event(self, **fields: Any) -> Row:
        """A complete event; its moments are in the style without a zone."""
        return self._made("event", objects.event(self._rng), fields)

    def make_custom_field(
        self,
        owner: str = "lead",
        *,
        type: str = "text",  # noqa: A002 - the API's word
        multiple: bool = False,
        **fields: Any,
    ) -> Row:
        """A complete definition for `custom_field/{owner}`."""
        number = next(self._numbers)
        row = objects.custom_field(type, multiple, number % 1000)
        return self._made(f"custom_field/{owner}", row, self._world.owner_of_field(owner, 0) | fields, number)

    def make(self, collection: str, **fields: Any) -> Row:
        """A complete row for a collection."""
        first, _, owner = collection.partition("/")
        makers: dict[str, Callable[..., Row]] = {
            "activity": self.make_activity,
            "lead": self.make_lead,
            "contact": self.make_contact,
            "opportunity": self.make_opportunity,
            "task": self.make_task,
            "user": self.make_user,
            "event": self.make_event,
        }
        if first == "custom_field":
            return self.make_custom_field(owner, **fields)
        if first in makers:
            return makers[first](**fields)
        return fields

    def _made(self, collection: str, row: Row, fields: Row, number: int | None = None) -> Row:
        now = to_milliseconds(self.micros())
        stamp = naive if collection in NAIVE else zoned
        fields = {name: stamp(to_micros(v)) if isinstance(v, datetime) else v for name, v in fields.items()}
        created = parse(fields["date_created"]) if fields.get("date_created") else now
        updated = parse(fields["date_updated"]) if fields.get("date_updated") else min(created, now)
        number = next(self._numbers) if number is None else number
        return filled(row, self._world.marks(collection, number, created, updated)) | fields
