"""Recording settings: what is recorded and what is not, each with every version that it ever had."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from typing import Any

from .moments import stamp
from .rows import Row

WEB, MOBILE = "web", "mobile"
PEOPLE = ("admin@example.com", "zoe@example.com", "")
Make = Callable[[Random], Row]


def _blocking(rng: Random) -> Row:
    return {
        "blockedIps": [f"203.0.113.{rng.randrange(256)}" for _ in range(rng.randrange(4))],
        "blockedUas": rng.sample(("ExampleBot", "curl/8", "Käse-Crawler"), rng.randrange(3)),
        "blockedAppIds": rng.sample(("com.example.shop", "com.example.test"), rng.randrange(2)),
    }


def _domain(rng: Random) -> Row:
    names = ("shop.example.com", "blog.example.com", "test.example.com")
    domains = [{"domain": name, "disabled": rng.random() < 0.3} for name in rng.sample(names, rng.randint(1, 3))]
    return {"onlyRecordKnownDomains": rng.random() < 0.5, "domains": domains}


def _features(rng: Random) -> Row:
    names = ("consoleWatcher", "ajaxWatcher", "resourceUploading", "recordingShutoff", "clientSideRageClick")
    return {"enabled": True, **{name: rng.random() < 0.5 for name in names}}


def _geo(rng: Random) -> Row:
    mode = rng.choice(("GEO_ALL", "GEO_ALLOW_LIST", "GEO_BLOCK_LIST"))
    return {"recordGeoMode": mode, "recordGeoZones": [] if mode == "GEO_ALL" else rng.sample(("DE", "US", "FR"), 2)}


def _privacy(rng: Random) -> Row:
    return {
        "elementBlocks": [
            {
                "selector": rng.choice((".card-number", "input[type=password]", "#käse > b")),
                "consent": rng.random() < 0.3,
                "notes": "",
                "type": rng.choice(("BLOCK_EXCLUDE", "BLOCK_MASK", "BLOCK_UNMASK")),
                "scope": rng.choice(("ALL_SESSIONS", "NO_SESSIONS", "PREVIEW_SESSIONS_ONLY", "LIVE_SESSIONS_ONLY")),
                "lastUpdated": rng.choice(("0001-01-01T00:00:00Z", "2024-02-03T04:05:06.789012Z")),
                "label": "",
                "targetingConditions": [],
                "editable": "EDITABLE",
                "exceptionSelectors": [".public"],
                "groupId": "0",
            }
            for _ in range(rng.randint(1, 3))
        ],
        "ajaxWatches": [
            {
                "urlRegex": "/api/.*",
                "recordReq": rng.choice(("ELIDE", "RECORD", "WHITELIST")),
                "recordRsp": "ELIDE",
                "whitelistReq": ["id"],
                "whitelistRsp": [],
            }
        ],
        "discardIpAddresses": rng.random() < 0.5,
        "defaultPrivacyMode": "MASK",
        "elementRuleGroups": {"1": {"groupId": "1", "templateId": "2", "note": "forms", "overrides": {}}},
    }


def _targeting(rng: Random) -> Row:
    value = {"strVal": "/checkout", "intVal": "0", "versionVal": ""}
    condition = {"attr": "URL", "op": "CONTAINS", "values": [value], "joinPrevious": "AND"}
    return {
        "sessionTargetingRules": [
            {
                "id": f"rule-{number}",
                "notes": rng.choice(("", "nur Käse")),
                "scope": "ALL_SESSIONS",
                "conditions": [condition],
                "children": [{"id": "rule-0", "joinPrevious": "AND"}] if number else [],
            }
            for number in range(rng.randint(1, 2))
        ]
    }


KINDS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "blocking": (_blocking, ("",)),
    "domain": (_domain, (WEB, MOBILE)),
    "features": (_features, (WEB, MOBILE)),
    "geo": (_geo, ("",)),
    "privacy": (_privacy, ("",)),
    "targeting": (_targeting, ("",)),
}


class RecordingSettings:
    """All of them, safe to change while requests are being answered."""

    def __init__(self, seed: int, created: float) -> None:
        self._rng = Random(f"{seed}/settings")
        self._created = created
        self._versions: dict[tuple[str, str], list[Row]] = {}
        self._lock = threading.Lock()
        for kind, (make, platforms) in KINDS.items():
            for platform in platforms:
                self._add(kind, platform, created, make(self._rng))

    def change(self, kind: str, when: float, platform: str = "", values: Row | None = None) -> Row:
        """A new version at that time: with these values, or with made-up ones."""
        make, platforms = KINDS[kind]
        if platform not in platforms and platform:
            raise ValueError(f"{kind} has the platforms {platforms}, not {platform!r}")
        platform = platform or platforms[0]
        before = {name: value for name, value in self.versions(kind, platform)[0].items() if name != "metadata"}
        return self._add(kind, platform, when, {**before, **(make(self._rng) if values is None else values)})

    def versions(self, kind: str, platform: str = "") -> list[Row]:
        """Newest first; without a platform, those of the first one that the kind has."""
        with self._lock:
            found = list(self._versions[kind, platform or KINDS[kind][1][0]])
        return sorted(found, key=_updated, reverse=True)

    def _add(self, kind: str, platform: str, when: float, values: Row) -> Row:
        metadata: dict[str, Any] = {
            "lastUpdated": stamp(when),
            "lastUpdatedBy": self._rng.choice(PEOPLE),
            "created": stamp(self._created),
            "createdBy": PEOPLE[0],
        }
        row = {**values, "metadata": metadata}
        with self._lock:
            self._versions.setdefault((kind, platform), []).append(row)
        return row


def _updated(row: Row) -> str:
    return str(row["metadata"]["lastUpdated"])
