"""What the simulator answers is what the schemas describe: every row fits, and every column has a value somewhere."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from jsonschema import Draft7Validator
from simulator import FullStorySimulator, Settings, epoch
from simulator.recording_settings import KINDS
from source_fullstory.account.account_stream import AccountStream
from source_fullstory.account.recording_settings import HistoryStream
from source_fullstory.streams import STREAMS
from unit_tests.calls import SETTINGS, call

BY_NAME = {stream.name: stream for stream in STREAMS}
ACCOUNT = [stream for stream in STREAMS if issubclass(stream, AccountStream) and not issubclass(stream, HistoryStream)]
LISTS = [stream for stream in ACCOUNT if stream.listing]
KIND_OF = {kind: name for name, kind in SETTINGS.items()}
SHOWS_MORE: dict[str, dict[str, Any]] = {"users": {"include_schema": "true"}, "element_block_rules": {"limit": 100}}
"""Parameters that the connector does not give, and by which rows have all columns, or the page all kinds of rows."""
NOW = epoch("2024-01-10")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sim() -> Iterator[FullStorySimulator]:
    with FullStorySimulator(Settings(now=NOW, user_page_size=100)) as running:
        running.fill_account(45)
        running.add_period("2024-01-08", "2024-01-10")
        yield running


def check(name: str, rows: Rows, added: frozenset[str] = frozenset()) -> None:
    """Every row fits, has no column of its own, and every column but those that the connector adds has a value."""
    described = BY_NAME[name].json_schema()
    validator = Draft7Validator(described)
    for row in rows:
        validator.validate(row)
    columns = set(described["properties"]) - added
    assert {column for row in rows for column, value in row.items() if value is not None} == columns, name
    assert all(column["type"][0] == "null" for column in described["properties"].values())


def listed(sim: FullStorySimulator, stream: type[AccountStream]) -> Rows:
    """The first page of each of the stream's queries."""
    assert stream.listing
    limit = {"limit": stream.listing.limit} if stream.listing.limit else {}
    queries = [{**query, **limit, **SHOWS_MORE.get(stream.name, {})} for query in stream.queries]
    answers = [call(sim, f"{stream.path}?{urlencode(query)}") for query in queries]
    assert {answer.status for answer in answers} == {200}, f"{stream.name}: the simulator does not answer {stream.path}"
    return [row for answer in answers for row in answer.json[stream.listing.rows]]


@pytest.mark.parametrize("stream", LISTS, ids=lambda stream: stream.name)
def test_lists_conform(sim: FullStorySimulator, stream: type[AccountStream]) -> None:
    if stream.name == "operations":
        time = {"start": "", "end": ""}
        order = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "timeRange": time}
        made = call(sim, "/segments/v1/exports", "POST", order).json["operationId"]
        for _ in range(3):
            call(sim, f"/operations/v1/{made}")
    check(stream.name, listed(sim, stream))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("platform", ["web", "mobile"])
def test_settings_and_their_versions_conform(sim: FullStorySimulator, kind: str, platform: str) -> None:
    added = frozenset({"id", "platform", "last_updated"})
    path = f"/settings/recording/v1/{kind}"
    check(KIND_OF[kind], [call(sim, f"{path}?platform={platform}").json], added)
    versions = call(sim, f"{path}/history?limit=100&platform={platform}").json["versions"]
    check(f"{KIND_OF[kind]}_history", versions, added)


def test_the_rest_conforms(sim: FullStorySimulator) -> None:
    check("quotas", [call(sim, "/v2/organization/quotas").json], frozenset({"id"}))
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
    validator = Draft7Validator(BY_NAME["events"].json_schema())
    for row in sim.event_truth("2024-01-08", "2024-01-10"):
        validator.validate(row)
