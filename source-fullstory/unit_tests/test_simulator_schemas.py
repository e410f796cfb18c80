"""What the simulator answers is what the schemas describe: every row fits, and every column has a value somewhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from simulator import FullStorySimulator, Settings, epoch
from simulator.account import SCOPES
from simulator.recording_settings import KINDS
from unit_tests.calls import call

SCHEMAS = Path(__file__).parents[1] / "source_fullstory" / "schemas"
SETTINGS = {
    "blocking": "block_rules",
    "domain": "domain_settings",
    "features": "recording_features",
    "geo": "geo_settings",
    "privacy": "privacy_settings",
    "targeting": "targeting_settings",
}
LISTS = {
    "users": ("/v2/users?include_schema=true", "results"),
    "segments": ("/segments/v1?limit=100", "segments"),
    "operations": ("/operations/v1", "operations"),
    "webhook_endpoints": ("/webhooks/v1/endpoints?limit=100", "endpoints"),
    "webhook_event_types": ("/webhooks/v1/event-types", "eventDefs"),
    "element_block_rules": ("/v2beta/privacy/elements?limit=100", "results"),
    "datasets": ("/v2beta/datasets", "datasets"),
    "session_profiles": ("/v2/visit_profile?limit=100", "profiles"),
}
NOW = epoch("2024-01-10")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sim() -> Iterator[FullStorySimulator]:
    with FullStorySimulator(Settings(now=NOW, user_page_size=100)) as running:
        running.fill_account(45)
        running.add_period("2024-01-08", "2024-01-10")
        yield running


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    return found


def check(name: str, rows: Rows, added: frozenset[str] = frozenset()) -> None:
    """Every row fits, has no column of its own, and every column but those that the connector adds has a value."""
    described = schema(name)
    validator = Draft7Validator(described)
    for row in rows:
        validator.validate(row)
    columns = set(described["properties"]) - added
    assert {column for row in rows for column, value in row.items() if value is not None} == columns
    assert all(column["type"][0] == "null" for column in described["properties"].values())


@pytest.mark.parametrize("name", sorted(LISTS))
def test_lists_conform(sim: FullStorySimulator, name: str) -> None:
    path, field = LISTS[name]
    if name == "operations":
        time = {"start": "", "end": ""}
        order = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "timeRange": time}
        made = call(sim, "/segments/v1/exports", "POST", order).json["operationId"]
        for _ in range(3):
            call(sim, f"/operations/v1/{made}")
    check(name, call(sim, path).json[field])


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("platform", ["web", "mobile"])
def test_settings_and_their_versions_conform(sim: FullStorySimulator, kind: str, platform: str) -> None:
    added = frozenset({"id", "platform", "last_updated"})
    path = f"/settings/recording/v1/{kind}"
    check(SETTINGS[kind], [call(sim, f"{path}?platform={platform}").json], added)
    versions = call(sim, f"{path}/history?limit=100&platform={platform}").json["versions"]
    check(f"{SETTINGS[kind]}_history", versions, added)


def test_the_rest_conforms(sim: FullStorySimulator) -> None:
    check("quotas", [call(sim, "/v2/organization/quotas").json], frozenset({"id"}))
    rules = [
        row
        for scope in SCOPES
        for row in call(sim, f"/v2beta/extraction/rules?scope={scope}&include_archived=true").json["rules"]
    ]
    check("extraction_rules", rules)
    uids = [row["uid"] for row in sim.account.users if row["uid"]]
    check(
        "sessions",
        [s for uid in uids for s in call(sim, f"/v2/sessions?uid={uid}").json["results"]],
        frozenset({"user_id"}),
    )


def test_people_and_events_conform(sim: FullStorySimulator) -> None:
    people = sim.individual_truth("2024-01-08", "2024-01-10")
    added = frozenset({"window_start", "window_end", "user_vars"})
    check("individuals", [{n: v for n, v in row.items() if not n.startswith("user_")} for row in people], added)
    validator = Draft7Validator(schema("events"))
    for row in sim.event_truth("2024-01-08", "2024-01-10"):
        validator.validate(row)
