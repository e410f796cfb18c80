"""What the simulator has besides events: lists in pages, settings with their history, and who may see what."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from simulator import Fault, FullStorySimulator, Request, Segment, Settings, epoch
from simulator.account import SCOPES
from simulator.recording_settings import KINDS
from unit_tests.calls import ask, call

DAY = 86_400
NOW = epoch("2024-01-10")
SETTINGS = "/settings/recording/v1"
ARCHITECT = {"/v2/users", f"{SETTINGS}/privacy", f"{SETTINGS}/privacy/history", "/v2beta/privacy/elements"}
ANYWHERE = {"/webhooks/v1/endpoints", "/webhooks/v1/event-types"}
STANDARD = {
    "/v2/sessions?uid=cust-1",
    "/segments/v1",
    "/operations/v1",
    "/v2/organization/quotas",
    "/v2beta/extraction/rules?scope=PAGE",
    "/v2/visit_profile",
    *(f"{SETTINGS}/{kind}" for kind in KINDS if kind != "privacy"),
    *(f"{SETTINGS}/{kind}/history" for kind in KINDS if kind != "privacy"),
}
# path, list, parameter, token, greatest limit
LISTS = [
    ("/v2/users", "results", "page_token", "next_page_token", None),
    ("/segments/v1", "segments", "paginationToken", "nextPaginationToken", 100),
    ("/operations/v1", "operations", "paginationToken", "nextPaginationToken", 100),
    (f"{SETTINGS}/blocking/history", "versions", "paginationToken", "next_pagination_token", 100),
    (f"{SETTINGS}/domain/history?platform=mobile", "versions", "paginationToken", "next_pagination_token", 100),
    ("/webhooks/v1/endpoints", "endpoints", "pagination_token", "nextPaginationToken", 100),
    ("/v2beta/privacy/elements", "results", "page_token", "next_page_token", 100),
    ("/v2/visit_profile", "profiles", "page_token", "next_page_token", 100),
]
Rows = list[dict[str, Any]]


@pytest.fixture
def sim() -> Iterator[FullStorySimulator]:
    """An account with forty-five of each, at a time that stands still."""
    with FullStorySimulator(Settings(now=NOW)) as running:
        running.fill_account(45)
        yield running


def pages(sim: FullStorySimulator, path: str, name: str, parameter: str, token: str) -> list[Rows]:
    """Every page of a list."""
    found: list[Rows] = []
    given = ""
    while len(found) < 20:
        answer = call(sim, with_(path, f"{parameter}={given}") if given else path)
        assert answer.status == 200, answer.body
        found.append(answer.json[name])
        given = answer.json.get(token)
        if not given:
            break
    return found


def with_(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


def ids(rows: Rows) -> list[str]:
    return [row["id"] for row in rows]


# Who may see what


def test_each_endpoint_wants_the_key_and_its_own_permission(sim: FullStorySimulator) -> None:
    every = ARCHITECT | ANYWHERE | STANDARD
    assert {ask(sim.url, path).status for path in every} == {401}
    assert {call(sim, path).status for path in every} == {200}
    sim.settings.role = "USER"
    assert {path for path in every if call(sim, path).status == 403} == ARCHITECT
    assert set(call(sim, "/v2/users").json) == {"code", "message"}
    sim.settings.change(role="ADMIN", anywhere=False, no_anywhere_status=404)
    assert {path for path in every if call(sim, path).status == 404} == ANYWHERE


@pytest.mark.parametrize("status", [402, 403, 404])
def test_any_part_may_not_be_in_the_plan(sim: FullStorySimulator, status: int) -> None:
    sim.settings.change(not_offered=["/segments/v1/exports", f"{SETTINGS}/geo"], not_offered_status=status)
    for path in (f"{SETTINGS}/geo", f"{SETTINGS}/geo/history"):
        assert call(sim, path).status == status
    assert call(sim, "/segments/v1/exports", "POST", {}).status == status
    assert call(sim, "/segments/v1").status == 200
    with pytest.raises(TypeError, match="not_offered"):
        sim.settings.change(not_offered="/segments")


def test_too_many_requests_a_second_have_to_wait(sim: FullStorySimulator) -> None:
    sim.settings.requests_per_second = 2
    answers = [call(sim, path) for path in ("/me", "/segments/v1", "/v2/users", "/v2/visit_profile") * 5]
    assert answers[0].status == 200
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= 10
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert call(sim, "/api/v1/export/list").status == 200


def test_every_endpoint_can_fail(sim: FullStorySimulator) -> None:
    for path in sorted(ARCHITECT | ANYWHERE | STANDARD):
        sim.fault(Fault(path.replace("?", r"\?") + "$", "503"))
        assert [call(sim, path).status for _ in range(2)] == [503, 200]
    for kind in ("missing_bracket", "json_garbage"):
        sim.fault(Fault("/v2/users", kind))
        with pytest.raises(json.JSONDecodeError):
            assert call(sim, "/v2/users").json
    sim.fault(Fault("/v2/users", "cut", at=100, framing="terminated"))
    assert len(call(sim, "/v2/users").body) == 100


# Pages


@pytest.mark.parametrize(("path", "name", "parameter", "token", "most"), LISTS)
@pytest.mark.parametrize("last", ["empty", "absent", "null"])
@pytest.mark.parametrize("paging", ["key", "offset"])
def test_lists_come_in_pages(
    sim: FullStorySimulator, path: str, name: str, parameter: str, token: str, most: int | None, last: str, paging: str
) -> None:
    sim.settings.change(last_token=last, paging=paging, page_cap=20)
    found = pages(sim, path, name, parameter, token)
    rows = [row for page in found for row in page]
    assert [len(page) for page in found[:-1]] == [20] * (len(found) - 1)
    assert len(found) == 3
    assert 45 <= len(rows) <= 47
    assert len({str(row) for row in rows}) == len(rows)
    end = call(sim, with_(path, f"{parameter}={token_of_last(sim, path, parameter, token)}")).json
    assert end.get(token, "absent") == {"empty": "", "absent": "absent", "null": None}[last]
    assert call(sim, with_(path, f"{parameter}=nonsense")).status == 400


def token_of_last(sim: FullStorySimulator, path: str, parameter: str, token: str) -> str:
    first = call(sim, path).json[token]
    return str(call(sim, with_(path, f"{parameter}={first}")).json[token])


@pytest.mark.parametrize(("path", "name", "parameter", "token", "most"), LISTS)
def test_limits_are_checked_where_there_are_any(
    sim: FullStorySimulator, path: str, name: str, parameter: str, token: str, most: int | None
) -> None:
    if most is None:
        assert [len(call(sim, with_(path, f"limit={n}")).json[name]) for n in (1, 500)] == [20, 20]
        return
    assert len(call(sim, with_(path, "limit=1")).json[name]) == 1
    assert len(call(sim, with_(path, f"limit={most}")).json[name]) >= 45
    assert [call(sim, with_(path, f"limit={n}")).status for n in (most + 1, 0, "x")] == [400, 400, 400]
    usual = len(call(sim, path).json[name])
    assert usual == (45 if name == "operations" else 20)


def test_rows_may_come_and_go_between_pages(sim: FullStorySimulator) -> None:
    people = sim.account.users
    before = ids(people)

    def move(request: Request) -> None:
        if request.params.get("page_token") and len(people) == 45:
            del people[0]
            del people[30]

    sim.on_request = move
    found = [row["id"] for page in pages(sim, "/v2/users", "results", "page_token", "next_page_token") for row in page]
    assert found == [before[0], *ids(people)]
    sim.fill_account(45)
    people = sim.account.users
    sim.settings.paging = "offset"
    shifted = [
        row["id"] for page in pages(sim, "/v2/users", "results", "page_token", "next_page_token") for row in page
    ]
    assert before[20] not in shifted


# People


def test_users_are_the_shops_visitors(sim: FullStorySimulator) -> None:
    sim.settings.change(user_page_size=50)
    answer = call(sim, "/v2/users").json
    assert answer["total_records"] == "45"
    assert answer["results"] == sim.account.users
    assert {row["uid"] != "" for row in answer["results"]} == {True, False}
    sim.settings.events_per_day = 4800
    sim.add_period(NOW - 2 * DAY, NOW)
    visitors = {str(row["UserId"]) for row in sim.event_truth(NOW - 2 * DAY, NOW)}
    assert set(ids(answer["results"])) & visitors


def test_users_can_be_filtered(sim: FullStorySimulator) -> None:
    someone = next(row for row in sim.account.users if row["uid"])
    for name, field in (("uid", "uid"), ("email", "email")):
        found = call(sim, f"/v2/users?{name}={someone[field]}").json["results"]
        assert someone in found
        assert {row[field] for row in found} == {someone[field]}
    assert {bool(row["uid"]) for row in call(sim, "/v2/users?is_identified=true").json["results"]} == {True}
    assert call(sim, "/v2/users?display_name=nobody").json["results"] == []
    (row,) = call(sim, f"/v2/users?uid={someone['uid']}&include_schema=true").json["results"]
    assert row["schema"] is not None


def test_sessions_are_those_of_one_person_the_latest_first(sim: FullStorySimulator) -> None:
    number, someone = next((n, row) for n, row in enumerate(sim.account.users) if row["uid"] and n > 30)
    every = sim.account.sessions[someone["id"]]
    assert len(every) == number
    for query in (f"uid={someone['uid']}", f"email={someone['email']}"):
        assert call(sim, f"/v2/sessions?{query}").json == {"results": every[::-1][:20]}
        assert call(sim, f"/v2/sessions?{query}&limit=100").json == {"results": every[::-1]}
    assert call(sim, f"/v2/sessions?session_uid={every[0]['id']}").json == {"results": every[:1]}
    assert call(sim, "/v2/sessions?uid=nobody").json == {"results": []}
    assert every[0]["id"].startswith(f"{someone['id']}:")
    assert [call(sim, f"/v2/sessions{query}").status for query in ("", "?uid=", "?limit=5")] == [400, 400, 400]


# Segments and operations


def test_built_in_segments_have_no_time(sim: FullStorySimulator) -> None:
    segments = call(sim, "/segments/v1?limit=100").json["segments"]
    assert len(segments) == 47
    assert ids(segments)[0] == "everyone"
    assert [("created" in row) for row in segments[:3]] == [False, False, True]
    sim.add_segment(Segment("mine", "Mine", creator="me@example.com", created="2024-01-01T00:00:00Z"))
    assert ids(call(sim, "/segments/v1?creator=me@example.com").json["segments"]) == ["mine"]


def test_operations_are_listed_with_the_exports(sim: FullStorySimulator) -> None:
    time = {"start": "", "end": ""}
    order = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "timeRange": time}
    own = call(sim, "/segments/v1/exports", "POST", order).json["operationId"]
    late = sim.add_operation("DELETE_SESSION", "PENDING", when=NOW + 1)
    listed = call(sim, "/operations/v1").json["operations"]
    assert len(listed) == 47
    assert ids(listed)[:2] == [late.id, own]
    assert [row["createdAt"] for row in listed] == sorted((row["createdAt"] for row in listed), reverse=True)
    assert "DELETE_USER" in {row["type"] for row in listed}
    assert ids(call(sim, "/operations/v1?type=SEARCH_EXPORT").json["operations"]) == [own]
    assert set(ids(call(sim, "/operations/v1?state=PENDING").json["operations"])) == {own, late.id}
    assert call(sim, "/operations/v1?state=NONE").status == call(sim, "/operations/v1?type=NONE").status == 400
    assert {call(sim, f"/operations/v1/{late.id}").json["state"] for _ in range(5)} == {"PENDING"}
    sim.settings.operation_order = "oldest"
    assert ids(call(sim, "/operations/v1").json["operations"]) == ids(listed)[::-1]
    sim.settings.operation_order = "unordered"
    mixed = ids(call(sim, "/operations/v1").json["operations"])
    assert sorted(mixed) == sorted(ids(listed))
    assert mixed not in (ids(listed), ids(listed)[::-1])


# Settings


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_setting_is_its_newest_version(sim: FullStorySimulator, kind: str) -> None:
    versions = call(sim, f"{SETTINGS}/{kind}/history?limit=100").json["versions"]
    assert len(versions) == 46
    times = [row["metadata"]["lastUpdated"] for row in versions]
    assert times == sorted(times, reverse=True)
    assert len({row["metadata"]["created"] for row in versions}) == 1
    assert call(sim, f"{SETTINGS}/{kind}").json == versions[0]
    changed = sim.change_setting(kind, when=NOW + 0.25, values={"enabled": None})
    assert call(sim, f"{SETTINGS}/{kind}").json == changed
    assert changed["metadata"]["lastUpdated"] == "2024-01-10T00:00:00.250000Z"
    assert len(call(sim, f"{SETTINGS}/{kind}/history?limit=100").json["versions"]) == 47


def test_domain_and_features_are_one_for_each_platform(sim: FullStorySimulator) -> None:
    for kind in ("domain", "features"):
        sim.change_setting(kind, "mobile", values={"only": "mobile"})
        assert call(sim, f"{SETTINGS}/{kind}?platform=mobile").json["only"] == "mobile"
        assert call(sim, f"{SETTINGS}/{kind}").json == call(sim, f"{SETTINGS}/{kind}?platform=web").json
        assert "only" not in call(sim, f"{SETTINGS}/{kind}").json
        assert call(sim, f"{SETTINGS}/{kind}?platform=tv").status == 400
        sim.settings.platform_required = True
        assert [call(sim, f"{SETTINGS}/{kind}{more}").status for more in ("", "/history")] == [400, 400]
        sim.settings.platform_required = False
    assert call(sim, f"{SETTINGS}/geo?platform=mobile").status == 200
    with pytest.raises(ValueError, match="platform"):
        sim.change_setting("geo", "mobile")


def test_the_token_of_histories_has_both_spellings(sim: FullStorySimulator) -> None:
    path = f"{SETTINGS}/geo/history"
    sim.settings.history_token = "nextPaginationToken"
    first = call(sim, path).json
    assert set(first) == {"versions", "nextPaginationToken"}
    token = first["nextPaginationToken"]
    assert call(sim, f"{path}?pagination_token={token}").json == first
    second = call(sim, f"{path}?paginationToken={token}").json
    assert second["versions"] != first["versions"]
    sim.settings.history_parameter = "either"
    assert call(sim, f"{path}?pagination_token={token}").json == second


def test_version_one_can_spell_its_names_as_the_schemas_do(sim: FullStorySimulator) -> None:
    sim.settings.names = "snake"
    assert {"blocked_ips", "metadata"} <= set(call(sim, f"{SETTINGS}/blocking").json)
    assert "last_updated" in call(sim, f"{SETTINGS}/blocking").json["metadata"]
    assert "created_at" in call(sim, "/operations/v1").json["operations"][0]
    assert "next_pagination_token" in call(sim, "/segments/v1").json
    assert "event_types" in call(sim, "/webhooks/v1/endpoints").json["endpoints"][0]
    assert "event_defs" in call(sim, "/webhooks/v1/event-types").json


# The rest


def test_small_things_come_as_documented(sim: FullStorySimulator) -> None:
    quotas = call(sim, "/v2/organization/quotas").json
    assert {type(quotas[name]["usage"]) for name in ("session_quota", "server_event_quota")} == {str}
    types = call(sim, "/webhooks/v1/event-types").json["eventDefs"]
    assert {"eventName", "displayName", "hasSubcategories"} == set(types[0])
    paths = [f"/v2beta/extraction/rules?scope={scope}" for scope in SCOPES]
    current = [row for path in paths for row in call(sim, path).json["rules"]]
    rules = [row for path in paths for row in call(sim, f"{path}&include_archived=true").json["rules"]]
    assert [row["id"] for row in rules if not row["archived"]] == [row["id"] for row in current]
    assert len(call(sim, "/v2beta/datasets").json["datasets"]) == 45
    assert len(rules) == 10
    assert call(sim, "/v2beta/extraction/rules").status == call(sim, "/v2beta/extraction/rules?scope=X").status == 400


def test_an_account_that_nobody_filled_is_empty_but_has_its_settings() -> None:
    with FullStorySimulator(Settings(now=NOW)) as bare:
        assert call(bare, "/v2/users").json == {"results": [], "total_records": "0", "next_page_token": ""}
        assert len(call(bare, "/segments/v1").json["segments"]) == 2
        assert len(call(bare, f"{SETTINGS}/geo/history").json["versions"]) == 1


def test_other_processes_control_all_of_it(sim: FullStorySimulator) -> None:
    def order(command: str, **given: Any) -> Any:
        return ask(sim.url, f"/_simulator/{command}", method="POST", body=given).json

    sim.settings.change(now=NOW + DAY)
    sim.add_period("2024-01-01", "2024-01-02")
    assert len(order("event_truth", start="2024-01-01", stop="2024-01-02")) == 480
    assert order("individual_truth", start="2024-01-01", stop="2024-01-02")[0]["NumEvents"] > 0
    assert order("fill", count=3) == {"users": 3}
    assert len(order("account", list="users", action="add", row={"id": "new", "uid": "u", "email": ""})) == 4
    assert order("account", list="users", action="change", id="new", row={"uid": "v"})[-1]["uid"] == "v"
    assert len(order("account", list="users", action="remove", id="new")) == 3
    assert len(order("account", list="users")) == 3
    assert "error" in order("account", list="nothing")
    assert "error" in order("account", list="users", action="remove", id="nobody")
    assert order("setting", kind="geo", values={"recordGeoMode": "GEO_ALL"})["recordGeoMode"] == "GEO_ALL"
    made = order("operation", type="DELETE_USER")["id"]
    assert call(sim, f"/operations/v1/{made}").status == 200
    order("operation", action="lose", id=made)
    assert call(sim, f"/operations/v1/{made}").status == 404
    time = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z"}
    wanted = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "timeRange": time}
    own = call(sim, "/segments/v1/exports", "POST", wanted).json["operationId"]
    assert order("segment", id="mine", name="Mine")["id"] == "mine"
    (export,) = ask(sim.url, "/_simulator/exports").json
    order("expire", id=export["id"])
    assert sim.exports[0].expired
    assert (export["operation"], export["state"], export["rows"]) == (own, "PENDING", 480)
