"""What an account has besides events: people, their sessions, webhooks, rules, profiles, quotas.

Field names follow FullStory's reference (developer.fullstory.com); where the reference only names an object, what is
in it is made up.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, fields
from random import Random

from . import shop
from .moments import stamp
from .rows import Row

SCOPES = ("PAGE", "USER", "ELEMENT", "REQUEST", "EVENT")
EVENT_TYPES = (
    ("recording.event.custom", "Custom event", True),
    ("recording.event.thrash", "Rage click", False),
    ("segment.created", "Segment created", False),
    ("segment.trend.alert", "Metric alert", False),
    ("note.created", "Note created", False),
)


@dataclass
class Account:
    """Lists of rows, which tests may change at any time; `sessions` has those of each user's id, oldest first."""

    users: list[Row] = field(default_factory=list)
    sessions: dict[str, list[Row]] = field(default_factory=dict)
    webhook_endpoints: list[Row] = field(default_factory=list)
    webhook_event_types: list[Row] = field(default_factory=list)
    element_block_rules: list[Row] = field(default_factory=list)
    extraction_rules: list[Row] = field(default_factory=list)
    session_profiles: list[Row] = field(default_factory=list)
    datasets: list[Row] = field(default_factory=list)
    quotas: Row = field(default_factory=dict)

    def rows(self, collection: str) -> list[Row]:
        """The list of that name."""
        if collection not in LISTS:
            raise LookupError(f"simulator/account.py has no list {collection}")
        found: list[Row] = getattr(self, collection)
        return found

    def find_users(self, uid: str, email: str) -> list[Row]:
        """Those with that uid and that e-mail address, as far as they are given."""
        return [u for u in self.users if (not uid or u["uid"] == uid) and (not email or u["email"] == email)]


LISTS = tuple(each.name for each in fields(Account) if each.default_factory is list)


def filled(seed: int, now: float, count: int, org: str) -> Account:
    """About `count` of each."""
    rng = Random(f"{seed}/account")
    account = Account(
        users=[user(seed, number, org) for number in range(count)],
        webhook_endpoints=[_webhook(rng, now, number) for number in range(count)],
        webhook_event_types=[
            {"eventName": name, "displayName": text, "hasSubcategories": more} for name, text, more in EVENT_TYPES
        ],
        element_block_rules=[_element(rng, now, number) for number in range(count)],
        extraction_rules=[_rule(number) for number in range(2 * len(SCOPES))],
        session_profiles=[_profile(rng, number) for number in range(count)],
        datasets=[_dataset(number) for number in range(count)],
        quotas={name: _quota(rng, now) for name in ("session_quota", "server_event_quota")},
    )
    account.sessions = {
        row["id"]: sessions(rng, row["id"], now, number, org) for number, row in enumerate(account.users)
    }
    return account


def user(seed: int, number: int, org: str) -> Row:
    """One of the shop's visitors (the world has 200), as FullStory knows them."""
    visitor = shop.visitor(Random(f"{seed}:{number}"), big_ids=True)
    known = bool(visitor["UserAppKey"])
    return {
        "id": str(visitor["UserId"]),
        "uid": visitor["UserAppKey"],
        "display_name": visitor["UserDisplayName"],
        "email": visitor["UserEmail"],
        "is_being_deleted": number % 20 == 19,
        "properties": {"plan": visitor["user_plan_str"], "address": {"city": "Köln", "zip": number}} if known else {},
        "schema": None,
        "type_conflicts": None,
        "app_url": f"https://app.fullstory.com/ui/{org}/segments/everyone/people/0/user/{visitor['UserId']}",
    }


def sessions(rng: Random, user_id: str, now: float, count: int, org: str) -> list[Row]:
    """So many sessions of a user, oldest first."""
    made = []
    for number in range(count):
        key = f"{user_id}:{rng.getrandbits(63)}"
        url = f"https://app.fullstory.com/ui/{org}/session/{key}"
        made.append({"id": key, "app_url": url, "created_time": stamp(now - (count - number) * 3600)[:-8] + "Z"})
    return made


def _webhook(rng: Random, now: float, number: int) -> Row:
    created = now - (100 - number % 100) * 86_400
    name, _, more = rng.choice(EVENT_TYPES)
    return {
        "id": f"wh-{number}",
        "created": stamp(created),
        "modified": stamp(created + rng.randrange(9999)),
        "enabled": rng.random() < 0.8,
        "url": f"https://hooks.example.com/{number}",
        "eventTypes": [{"eventName": name, "subcategory": "Order Completed" if more else ""}],
    }


def _element(rng: Random, now: float, number: int) -> Row:
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "name": f"Rule {number}",
        "description": rng.choice(("", "Kreditkarten")),
        "source": {"selector": f".secret-{number}", "exception_selectors": [".public"], "backup_selector": ""},
        "operation": {"action": rng.choice(("EXCLUDE", "MASK", "UNMASK")), "consent": False, "scope": "ALL_SESSIONS"},
        "platforms": rng.sample(("WEB", "ANDROID", "IOS"), rng.randint(1, 3)),
        "editable": "EDITABLE",
        "group_id": rng.choice((0, 2**53 + 1)),
        "created_at": stamp(now - 9e6),
        "last_updated": stamp(now - rng.randrange(9_000_000)),
        "last_updated_by": "admin@example.com",
    }


def _rule(number: int) -> Row:
    scope = SCOPES[number % len(SCOPES)]
    return {
        "id": f"er-{number}",
        "name": f"{scope.title()} rule {number}",
        "description": "",
        "scope": scope,
        "source": {"url": {"pattern": "/fruits/*"}} if scope == "PAGE" else {"element": {"selector": ".price"}},
        "mappings": [{"property": "price", "type": "real"}],
        "archived": number % 4 == 3,
    }


def _profile(rng: Random, number: int) -> Row:
    return {
        "id": f"vp-{number}",
        "name": f"Profile {number}",
        "configuration": {"slice": {"mode": "LAST_N_EVENTS", "event_limit": rng.randrange(1, 900)}},
        "llm": {"model": "default", "temperature": 0.5},
    }


def _dataset(number: int) -> Row:
    return {"id": f"ds-{number}", "name": f"Dataset {number}", "description": "" if number % 2 else "Käufe"}


def _quota(rng: Random, now: float) -> Row:
    """Integers as strings (documented)."""
    return {
        "usage": str(rng.randrange(10**6)),
        "limit": str(2 * 10**6),
        "period_start": stamp(now - 864_000)[:10] + "T00:00:00Z",
        "period_end": stamp(now + 1_728_000)[:10] + "T00:00:00Z",
    }
