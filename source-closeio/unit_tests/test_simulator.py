"""The simulator behaves as Close's documentation and recorded answers say, on its own terms: no connector here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from simulator import CloseSimulator, Fault, Settings
from simulator.endpoints import BY_PATH

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
SECOND = "2026-05-01T10:00:00"


class Client:
    """Just enough HTTP to look at the simulator from outside."""

    def __init__(self, sim: CloseSimulator) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.session.auth = (sim.api_key, "")

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.session.get(self.sim.url + path, params=params, timeout=5, allow_redirects=False)

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def ids(self, path: str, **params: Any) -> list[str]:
        return [row["id"] for row in self.rows(path, **params)]

    def search(self, object_type: str, *queries: Any, **body: Any) -> requests.Response:
        query = {"type": "and", "queries": [{"type": "object_type", "object_type": object_type}, *queries]}
        return self.session.post(self.sim.url + "data/search/", json={"query": query, **body}, timeout=60)

    def found(self, object_type: str, *queries: Any, **body: Any) -> list[str]:
        answer = self.search(object_type, *queries, **body)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["data"]]


def client_of(settings: Settings) -> Iterator[Client]:
    with CloseSimulator(settings) as sim:
        client = Client(sim)
        yield client
        client.session.close()


@pytest.fixture
def close() -> Iterator[Client]:
    """An organization without rows, its clock standing still."""
    yield from client_of(Settings.empty(now=NOW))


@pytest.fixture(scope="module")
def full() -> Iterator[Client]:
    """A generated organization; tests only read it."""
    yield from client_of(Settings(now=NOW, leads=60, activities=1200, tasks=120, events=300))


def notes(close: Client, *moments: str) -> list[str]:
    collection = close.sim.data["activity"]
    return [collection.add(close.sim.make_activity("Note", date_created=each))["id"] for each in moments]


def leads(close: Client, count: int, **fields: Any) -> list[str]:
    made = []
    for number in range(count):
        updated = fields.get("date_updated") or f"2026-05-01T10:{number // 60:02}:{number % 60:02}+00:00"
        made.append(close.sim.data["lead"].add(close.sim.make_lead(**fields | {"date_updated": updated}))["id"])
    return made


def moment_range(object_type: str, name: str, **bounds: str) -> dict[str, Any]:
    return {
        "type": "field_condition",
        "field": {"type": "regular_field", "object_type": object_type, "field_name": name},
        "condition": {
            "type": "moment_range",
            **{bound: {"type": "fixed_utc", "value": value} for bound, value in bounds.items()},
        },
    }


def sort(object_type: str, *names: str) -> list[dict[str, Any]]:
    return [
        {
            "direction": "desc" if name.startswith("-") else "asc",
            "field": {"type": "regular_field", "object_type": object_type, "field_name": name.lstrip("-")},
        }
        for name in names
    ]


# -- access ------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_refused_with_the_recorded_sentence(close: Client) -> None:
    answer = requests.get(close.sim.url + "me/", auth=("api_wrong", ""), timeout=5)
    assert answer.status_code == 401
    assert "could not verify that you are authorized" in answer.json()["error"]


def test_me_tells_organization_role_and_permissions(close: Client) -> None:
    me = close.get("me/").json()
    assert me["organizations"][0]["id"].startswith("orga_")
    assert me["memberships"][0]["role_id"] == "admin"
    assert "view_all_leads" in me["memberships"][0]["permissions_granted"]
    close.sim.settings.role = "restricted"
    assert "view_all_leads" not in close.get("me/").json()["memberships"][0]["permissions_granted"]


def test_the_organization_has_active_and_inactive_members(close: Client) -> None:
    row = close.get(f"organization/{close.get('me/').json()['organizations'][0]['id']}/").json()
    assert row["memberships"][0]["user_email"]
    assert row["inactive_memberships"]


def test_a_path_without_its_last_slash_is_redirected(close: Client) -> None:
    answer = close.get("activity", _limit=1)
    assert answer.status_code == 301
    assert answer.headers["location"].endswith("/activity/?_limit=1")


def test_an_unknown_path_is_not_found(close: Client) -> None:
    assert close.get("nonsense/").status_code == 404


def test_a_forbidden_path_answers_as_told_and_others_still_work(close: Client) -> None:
    close.sim.settings.forbidden = {"task": (403, {"error": "no"})}
    assert close.get("task/").status_code == 403
    assert close.get("user/").status_code == 200


def test_every_answer_has_the_servers_date(close: Client) -> None:
    assert close.get("me/").headers["date"] == "Mon, 01 Jun 2026 12:00:00 GMT"


# -- offset lists ------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_and_has_more_ends_with_the_last(close: Client) -> None:
    ids = notes(close, *(f"2026-05-01T10:00:{second:02}+00:00" for second in range(7)))
    first = close.get("activity/", _limit=4).json()
    last = close.get("activity/", _limit=4, _skip=4).json()
    assert [row["id"] for row in first["data"] + last["data"]] == list(reversed(ids))
    assert (first["has_more"], last["has_more"]) == (True, False)
    assert "total_results" not in first


@pytest.mark.parametrize("path", ["lead/", "task/", "opportunity/"])
def test_some_lists_tell_their_total(full: Client, path: str) -> None:
    answer = full.get(path, _limit=1).json()
    assert answer["total_results"] > 1
    assert answer["has_more"]


def test_a_hundred_rows_are_the_default(full: Client) -> None:
    assert len(full.rows("activity/")) == 100


@pytest.mark.parametrize(("wording", "text"), [("old", "max_skip = 5)"), ("new", "less than or equal to 5")])
def test_a_skip_beyond_the_cap_is_refused(close: Client, wording: Any, text: str) -> None:
    close.sim.settings.change(skip_cap=5, cap_wording=wording)
    assert close.get("activity/", _skip=5).status_code == 200
    answer = close.get("activity/", _skip=6)
    assert answer.status_code == 400
    assert text in answer.text


def test_a_limit_beyond_the_maximum_is_refused(close: Client) -> None:
    assert close.get("activity/note/", _limit=100).status_code == 200
    assert close.get("activity/note/", _limit=101).status_code == 400


def test_rows_that_come_and_go_between_pages_move_the_offsets(close: Client) -> None:
    ids = notes(close, *(f"2026-05-01T10:00:{second:02}+00:00" for second in range(6)))
    assert close.ids("activity/", _limit=3) == [ids[5], ids[4], ids[3]]
    close.sim.data["activity"].delete(ids[5])
    assert close.ids("activity/", _limit=3, _skip=3) == [ids[1], ids[0]]
    (new,) = notes(close, "2026-05-01T11:00:00+00:00")
    assert close.ids("activity/", _limit=3) == [new, ids[4], ids[3]]


def test_unknown_parameters_are_ignored(close: Client) -> None:
    ids = notes(close, "2026-05-01T10:00:00+00:00")
    assert close.ids("activity/", date_updated__gt="2099-01-01T00:00:00Z", _order_by="id", nonsense="1") == ids


def test_a_list_may_meet_a_document_that_was_just_deleted(close: Client) -> None:
    ids = notes(close, *(f"2026-05-01T10:00:{second:02}+00:00" for second in range(3)))
    close.sim.settings.deleted_document = "once"
    close.sim.data["activity"].delete(ids[1])
    answer = close.get("activity/")
    assert (answer.status_code, answer.json()) == (404, {"error": "Empty query: Document has been deleted."})
    assert close.ids("activity/") == [ids[2], ids[0]]


def test_fields_choose_what_comes_and_reveal_hidden_ones(full: Client) -> None:
    call = full.rows("activity/call/", _limit=1)[0]
    assert "recording_transcript" not in call
    chosen = full.rows("activity/call/", _limit=1, _fields="id,recording_transcript,nonsense")[0]
    assert chosen.keys() == {"id", "recording_transcript"}
    assert full.get(f"activity/call/{call['id']}/").json() == call


# -- activities --------------------------------------------------------------------------------------------------


def test_date_filters_on_activities_are_precise_to_the_second(close: Client) -> None:
    early, middle, late = notes(close, f"{SECOND}+00:00", f"{SECOND}.500000+00:00", "2026-05-01T10:00:01+00:00")
    assert close.ids("activity/", date_created__gt=f"{SECOND}Z") == [late]
    assert close.ids("activity/", date_created__gte=f"{SECOND}.900Z") == [late, middle, early]
    assert close.ids("activity/", date_created__lt=f"{SECOND}.900Z") == []
    assert close.ids("activity/", date_created__lte=f"{SECOND}Z") == [middle, early]


def test_or_to_the_millisecond_when_told(close: Client) -> None:
    close.sim.settings.precision = "exact"
    _, middle, late = notes(close, f"{SECOND}+00:00", f"{SECOND}.500000+00:00", "2026-05-01T10:00:01+00:00")
    assert close.ids("activity/", date_created__gt=f"{SECOND}Z") == [late, middle]
    assert close.ids("activity/", date_created__gte=f"{SECOND}.501+00:00") == [late]


def test_the_order_is_newest_first_and_stable_within_a_moment(full: Client) -> None:
    rows = [row for skip in range(0, 1200, 100) for row in full.rows("activity/", _skip=skip)]
    keys = [(row["date_created"], row["id"]) for row in rows]
    assert len({id_ for _, id_ in keys}) == len(rows) > 1000
    assert [moment for moment, _ in keys] == sorted((moment for moment, _ in keys), reverse=True)


def test_every_type_has_its_own_list(full: Client) -> None:
    types = {
        "call": "Call",
        "created": "Created",
        "custom": "CustomActivity",
        "email": "Email",
        "emailthread": "EmailThread",
        "form_submission": "FormSubmission",
        "import_update": "ImportUpdate",
        "lead_merge": "LeadMerge",
        "meeting": "Meeting",
        "note": "Note",
        "sms": "SMS",
        "status_change/lead": "LeadStatusChange",
        "status_change/opportunity": "OpportunityStatusChange",
        "task_completed": "TaskCompleted",
        "whatsapp_message": "WhatsAppMessage",
    }
    for path, literal in types.items():
        assert {row["_type"] for row in full.rows(f"activity/{path}/")} == {literal}


def test_threads_replace_mails_only_on_request(full: Client) -> None:
    def kinds(**params: str) -> set[str]:
        return {row["_type"] for skip in range(0, 500, 100) for row in full.rows("activity/", _skip=skip, **params)}

    assert "Email" in kinds()
    assert "EmailThread" not in kinds()
    assert "Email" not in kinds(thread_emails="only")
    assert {"Email", "EmailThread"} <= kinds(thread_emails="true")


def test_user_and_type_filters_work_only_within_a_lead(full: Client) -> None:
    some = full.rows("activity/note/")[0]
    everything = full.ids("activity/")
    assert full.ids("activity/", user_id=some["user_id"], _type="Note") == everything
    inside = full.rows("activity/", lead_id=some["lead_id"], _type="Note")
    assert {row["_type"] for row in inside} == {"Note"}
    assert {row["lead_id"] for row in inside} == {some["lead_id"]}


def test_activities_are_found_by_id_also_through_a_post(close: Client) -> None:
    ids = notes(close, *(f"2026-05-01T10:00:{second:02}+00:00" for second in range(4)))
    assert close.ids("activity/", id__in=f"{ids[0]},{ids[2]},acti_gone") == [ids[2], ids[0]]
    answer = close.session.post(
        close.sim.url + "activity/note/",
        json={"_params": {"id__in": f"{ids[1]},{ids[3]}", "_limit": 1}},
        headers={"x-http-method-override": "GET"},
        timeout=5,
    )
    assert [row["id"] for row in answer.json()["data"]] == [ids[3]]
    assert answer.json()["has_more"]


# -- tasks, opportunities, users, custom fields ------------------------------------------------------------------


def test_only_lead_tasks_come_unless_all_are_asked_for(full: Client) -> None:
    assert {row["_type"] for row in full.rows("task/")} == {"lead"}
    assert len({row["_type"] for row in full.rows("task/", _type="all", _limit=200)}) == 9
    assert {row["_type"] for row in full.rows("task/", _type__in="voicemail,missed_call")} == {
        "voicemail",
        "missed_call",
    }


def test_tasks_are_filtered_by_modification_and_ordered_by_creation(full: Client) -> None:
    rows = full.rows("task/", _type="all", date_updated__gte="2026-01-01T00:00:00Z", _order_by="date_created")
    assert rows
    assert all(row["date_updated"] >= "2026-01-01" for row in rows)
    created = [row["date_created"] for row in rows]
    assert created == sorted(created)
    everything = full.get("task/", _type="all", _limit=1).json()["total_results"]
    before = full.get("task/", _type="all", date_updated__lt="2026-01-01T00:00:00Z").json()["total_results"]
    assert everything == len(full.sim.data["task"]) == 120
    assert (
        full.get("task/", _type="all", date_updated__gte="2026-01-01T00:00:00Z").json()["total_results"] + before == 120
    )


def test_an_order_that_tasks_do_not_know_is_ignored_or_refused(close: Client) -> None:
    assert close.get("task/", _order_by="date_updated").status_code == 200
    close.sim.settings.odd_order = "400"
    assert close.get("task/", _order_by="date_updated").status_code == 400


def test_tasks_without_a_date_come_last(full: Client) -> None:
    dates = [row["date"] for row in full.rows("task/", _type="all", _limit=200)]
    first_null = dates.index(None)
    assert first_null > 0
    assert set(dates[first_null:]) == {None}


def test_opportunities_are_ordered_by_modification_when_asked(full: Client) -> None:
    rows = full.rows("opportunity/", _order_by="date_updated", date_updated__gte="2026-01-01T00:00:00Z")
    moments = [row["date_updated"] for row in rows]
    assert moments == sorted(moments)
    assert [row["value"] is None for row in full.rows("opportunity/", _order_by="-value")] == sorted(
        row["value"] is None for row in full.rows("opportunity/")
    )


def test_leads_come_with_the_latest_change_first_and_hold_their_children(full: Client) -> None:
    rows = full.rows("lead/")
    moments = [row["date_updated"] for row in rows]
    assert moments == sorted(moments, reverse=True)
    nested = {contact["id"]: contact for row in rows for contact in row["contacts"]}
    assert nested
    assert nested.items() <= full.sim.data["contact"].truth.items()


def test_shared_custom_fields_have_a_list_of_their_own_and_stand_in_the_schema(full: Client) -> None:
    own = full.get("custom_field/lead/").json()
    shared = full.get("custom_field/shared/").json()
    assert own["has_more"] is False
    assert "has_more" not in shared
    assert all(row["associations"] for row in shared["data"])
    ids = {row["id"] for row in full.get("custom_field_schema/lead/").json()["fields"]}
    assert ids == {row["id"] for row in own["data"] + shared["data"]}


def test_custom_values_are_there_only_when_set_and_have_the_type_of_their_field(full: Client) -> None:
    fields = {f"custom.{row['id']}": row for row in full.rows("custom_field/lead/")}
    kinds = {"number": (int, float)}
    seen = set()
    for lead in full.rows("lead/"):
        for name, row in fields.items():
            if name not in lead:
                continue
            seen.add(row["type"])
            value = lead[name]
            assert value is not None
            if row["accepts_multiple_values"]:
                assert isinstance(value, list)
            else:
                assert isinstance(value, kinds.get(row["type"], str))
    assert seen >= {"text", "number", "date", "datetime", "choices", "user", "contact", "hidden"}
    assert any(name.startswith("custom.lcf_") for name in fields)


@pytest.mark.parametrize("path", sorted(BY_PATH))
def test_every_endpoint_of_the_table_has_rows_and_shows_each_alone(full: Client, path: str) -> None:
    endpoint = BY_PATH[path]
    known = full.sim.data[endpoint.source].rows()
    assert known
    needs = {name: known[0][name] for name in endpoint.needs_one_of if name in known[0]}
    everything = {"_type": "all"} if path == "task" else {}
    listed = full.rows(f"{path}/", **needs, **everything)
    assert listed
    if endpoint.needs_one_of:
        assert full.get(f"{path}/").status_code == 400
    if "id" in listed[0]:
        assert listed[0].items() <= full.get(f"{path}/{listed[0]['id']}/").json().items()


def test_members_of_a_group_stand_only_on_its_own_page(full: Client) -> None:
    group = full.rows("group/")[0]
    assert "members" not in group
    assert "members" in full.get(f"group/{group['id']}/").json()


def test_a_url_may_be_too_long(close: Client) -> None:
    close.sim.settings.max_url = 100
    assert close.get("activity/", id__in="a" * 100).status_code == 414


# -- search ------------------------------------------------------------------------------------------------------


def test_search_returns_ids_unless_fields_are_named(close: Client) -> None:
    (id_,) = leads(close, 1, **{"custom.cf_a": 1, "name": "Ö"})
    assert close.search("lead").json()["data"] == [{"__object_type": "lead", "id": id_}]
    fields = {"lead": ["name", "nonsense", "custom"]}
    row = {"__object_type": "lead", "id": id_, "name": "Ö"}
    assert close.search("lead", _fields=fields).json()["data"] == [row | {"custom.cf_a": 1}]
    close.sim.settings.search_custom = "nested"
    assert close.search("lead", _fields=fields).json()["data"] == [row | {"custom": {"cf_a": 1}}]


def test_search_ranges_include_their_start_and_not_their_end(close: Client) -> None:
    ids = leads(close, 4)
    sorting = sort("lead", "date_updated")
    for zone in ("Z", "+00:00", ""):
        bounds = {"on_or_after": f"2026-05-01T10:00:01{zone}", "before": f"2026-05-01T10:00:03{zone}"}
        assert close.found("lead", moment_range("lead", "date_updated", **bounds), sort=sorting) == ids[1:3]


def test_search_walks_by_cursor_in_the_order_of_all_sort_keys(close: Client) -> None:
    ids = leads(close, 25, date_updated="2026-05-01T10:00:00+00:00")
    rows, cursor = [], None
    while True:
        answer = close.search("lead", sort=sort("lead", "date_updated", "-id"), _limit=10, cursor=cursor).json()
        rows += answer["data"]
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert [row["id"] for row in rows] == sorted(ids, reverse=True)


def test_a_walk_sees_the_data_as_it_is_now(close: Client) -> None:
    ids = leads(close, 6)
    body = {"sort": sort("lead", "date_updated"), "_limit": 3}
    answer = close.search("lead", **body).json()
    close.sim.data["lead"].update(ids[0])
    close.sim.data["lead"].delete(ids[4])
    rest = close.found("lead", **body, cursor=answer["cursor"])
    assert rest == [ids[3], ids[5], ids[0]]


def test_a_cursor_expires(close: Client) -> None:
    leads(close, 3)
    cursor = close.search("lead", _limit=1).json()["cursor"]
    close.sim.settings.cursor_seconds = 0
    time.sleep(0.002)
    answer = close.search("lead", _limit=1, cursor=cursor)
    assert answer.status_code == 400
    assert answer.json()["field-errors"] == {"cursor": "Expired cursor"}
    assert close.search("lead", cursor="unknown").status_code == 400


def test_a_walk_ends_at_the_cap(close: Client) -> None:
    leads(close, 7)
    close.sim.settings.search_cap = 5
    first = close.search("lead", _limit=3, include_counts=True).json()
    second = close.search("lead", _limit=3, cursor=first["cursor"]).json()
    assert len(second["data"]) == 2
    assert second["cursor"] is None
    assert first["count"]["total"] == 7


def test_counts_come_without_rows_when_no_results_are_wanted(close: Client) -> None:
    leads(close, 4)
    answer = close.search("lead", results_limit=0, include_counts=True).json()
    assert (answer["data"], answer["cursor"], answer["count"]["total"]) == ([], None, 4)


def test_search_refuses_what_close_refuses(close: Client) -> None:
    assert close.search("lead", _limit=201).status_code == 400
    assert close.search("nonsense").status_code == 400
    assert close.search("opportunity", sort=sort("opportunity", "id")).status_code == 400
    too_many = {"lead": [f"custom.cf_{number}" for number in range(101)]}
    assert close.search("lead", _fields=too_many).json() == {"error": "List is too long."}
    wrong_type = moment_range("contact", "date_updated", before="2026-01-01")
    assert close.search("lead", wrong_type).status_code == 400


def test_search_knows_activity_types_and_conditions(close: Client) -> None:
    collection = close.sim.data["activity"]
    call = collection.add(close.sim.make_activity("Call", duration=60, status="completed"))["id"]
    other = collection.add(close.sim.make_activity("Call", duration=5, status="busy"))["id"]
    collection.add(close.sim.make_activity("Note"))

    def condition(name: str, **given: Any) -> dict[str, Any]:
        field = {"type": "regular_field", "object_type": "activity.call", "field_name": name}
        return {"type": "field_condition", "field": field, "condition": given}

    long = condition("duration", type="number_range", gte=60)
    busy = condition("status", type="term", values=["busy", "failed"])
    assert set(close.found("activity.call")) == {call, other}
    assert close.found("activity.call", long) == [call]
    assert close.found("activity.call", {"type": "negate", "query": long}) == [other]
    assert set(close.found("activity.call", {"type": "or", "queries": [long, busy]})) == {call, other}


def test_a_write_is_found_only_when_the_index_has_caught_up(close: Client) -> None:
    ids = leads(close, 2)
    close.sim.settings.search_lag = 60
    leads(close, 1)
    close.sim.data["lead"].update(ids[0], name="new")
    close.sim.data["lead"].delete(ids[1])
    body: dict[str, Any] = {"sort": sort("lead", "date_updated"), "_fields": {"lead": ["name"]}}
    rows = close.search("lead", **body).json()["data"]
    assert [row["id"] for row in rows] == ids
    assert "new" not in {row["name"] for row in rows}
    close.sim.settings.search_lag = 0
    assert len(close.found("lead", **body)) == 2


# -- the event log -----------------------------------------------------------------------------------------------


def test_changes_are_written_to_the_event_log(close: Client) -> None:
    leads_, id_ = close.sim.data["lead"], leads(close, 1)[0]
    leads_.update(id_, {"name": "New", "custom.cf_a": 5})
    old = leads_.delete(id_)
    deleted, updated, created = close.rows("event/")
    assert [each["action"] for each in (created, updated, deleted)] == ["created", "updated", "deleted"]
    assert created["data"]["id"] == id_
    assert updated["changed_fields"] == ["custom.cf_a", "name"]
    assert updated["previous_data"]["custom.cf_a"] is None
    assert (deleted["data"], deleted["previous_data"]) == (None, old)
    assert deleted["object_type"] == "lead"
    assert "+" not in deleted["date_updated"]


def test_events_come_newest_first_in_pages_of_fifty_at_most(full: Client) -> None:
    rows, cursor = [], None
    while True:
        answer = full.get("event/", _limit=200, **({"_cursor": cursor} if cursor else {})).json()
        assert len(answer["data"]) <= 50
        rows += answer["data"]
        cursor = answer["cursor_next"]
        if cursor is None:
            break
    moments = [row["date_updated"] for row in rows]
    assert len({row["id"] for row in rows}) == len(rows) == 300
    assert moments == sorted(moments, reverse=True)


def test_a_previous_cursor_leads_back(full: Client) -> None:
    first = full.get("event/").json()
    second = full.get("event/", _cursor=first["cursor_next"]).json()
    back = full.get("event/", _cursor=second["cursor_previous"]).json()
    assert first["cursor_previous"] is None
    assert back["data"] == first["data"]


@pytest.mark.parametrize("honoured", [False, True])
def test_dates_bound_the_first_page_and_the_others_only_when_told(honoured: bool) -> None:
    for close in client_of(Settings.empty(now=NOW, event_dates_with_cursor=honoured)):
        for minute in range(4):
            moment = f"2026-05-31T10:0{minute}:00"
            event = close.sim.make_event(date_created=moment, date_updated=moment)
            close.sim.data["event"].add(event, log=False)
        params = {"date_updated__gte": "2026-05-31T10:02:00Z", "_limit": 1}
        first = close.get("event/", **params).json()
        second = close.get("event/", **params, _cursor=first["cursor_next"]).json()
        assert len(close.rows("event/", **params | {"_limit": 50})) == 2
        third = close.rows("event/", **params, _cursor=second["cursor_next"]) if second["cursor_next"] else []
        assert bool(third) is not honoured


def test_only_documented_combinations_of_event_filters_are_allowed(full: Client) -> None:
    event = full.rows("event/")[0]
    assert full.get("event/", object_type="lead").status_code == 400
    assert full.get("event/", action="deleted").status_code == 400
    rows = full.rows("event/", object_type=event["object_type"], action=event["action"])
    assert {(row["object_type"], row["action"]) for row in rows} == {(event["object_type"], event["action"])}
    assert {row["lead_id"] for row in full.rows("event/", lead_id=event["lead_id"])} == {event["lead_id"]}
    assert full.get(f"event/{event['id']}/").json() == event


def test_events_older_than_thirty_days_are_gone(close: Client) -> None:
    for days in (29, 31):
        moment = NOW - timedelta(days=days)
        close.sim.data["event"].add(close.sim.make_event(date_created=moment, date_updated=moment), log=False)
    assert len(close.rows("event/")) == 1


def test_a_plan_without_event_log_refuses(close: Client) -> None:
    close.sim.settings.event_log = False
    assert close.get("event/").status_code == 400


def test_keys_without_admin_rights_see_contents_for_an_hour_only(close: Client) -> None:
    close.sim.settings.role = "user"
    for minutes in (59, 61):
        moment = NOW - timedelta(minutes=minutes)
        event = close.sim.make_event(date_created=moment, date_updated=moment, data={"id": "lead_1"})
        close.sim.data["event"].add(event, log=False)
    new, old = close.rows("event/")
    assert "data" in new
    assert "data" not in old
    assert "previous_data" not in old


def test_a_recent_event_of_the_same_object_is_changed_instead_of_a_new_one(close: Client) -> None:
    close.sim.settings.consolidate_seconds = 60
    id_ = leads(close, 1)[0]
    close.sim.settings.now = NOW + timedelta(seconds=120)
    close.sim.data["lead"].update(id_, name="One")
    close.sim.settings.now = NOW + timedelta(seconds=150)
    close.sim.data["lead"].update(id_, name="Two", url="http://x")
    updated = close.rows("event/")[0]
    assert len(close.rows("event/")) == 2
    assert updated["changed_fields"] == ["name", "url"]
    assert updated["data"]["name"] == "Two"
    assert (updated["date_created"], updated["date_updated"]) == ("2026-06-01T12:02:00", "2026-06-01T12:02:30")


def test_a_change_of_a_child_moves_its_lead_without_an_event_of_the_lead(close: Client) -> None:
    lead_id = leads(close, 1)[0]
    contact = close.sim.data["contact"].add(close.sim.make_contact(lead_id=lead_id))
    lead = close.sim.data["lead"].get(lead_id)
    assert lead is not None
    assert lead["date_updated"] == "2026-06-01T12:00:00+00:00"
    assert lead["contacts"] == [contact]
    assert [event["object_type"] for event in close.rows("event/")] == ["contact", "lead"]


def test_deleting_a_lead_deletes_what_belongs_to_it(close: Client) -> None:
    lead_id = leads(close, 1)[0]
    close.sim.data["activity"].add(close.sim.make_activity("SMS", lead_id=lead_id), log=False)
    close.sim.data["lead"].delete(lead_id)
    deleted = {event["object_type"] for event in close.rows("event/") if event["action"] == "deleted"}
    assert deleted == {"lead", "activity.sms"}
    assert close.ids("activity/") == []


def test_merging_leads_moves_children_and_leaves_an_event(close: Client) -> None:
    source, destination = leads(close, 2)
    note = close.sim.data["activity"].add(close.sim.make_activity("Note", lead_id=source))["id"]
    close.sim.merge_leads(source, destination)
    assert close.rows("activity/note/", id__in=note)[0]["lead_id"] == destination
    event = close.rows("event/", object_type="lead", action="merged")[0]
    assert event["meta"] == {"merge_source_lead_id": source, "merge_destination_lead_id": destination}
    assert close.ids("lead/") == [destination]


# -- rate limits -------------------------------------------------------------------------------------------------


def test_without_a_rate_there_are_no_limits_and_no_headers(close: Client) -> None:
    assert not any("ratelimit" in name.lower() for name in close.get("me/").headers)


def test_headers_tell_the_bucket_in_both_spellings(close: Client) -> None:
    close.sim.settings.change(rate=10, rate_window=100)
    headers = close.get("me/").headers
    assert headers["ratelimit"].startswith("limit=1000, remaining=999, reset=")
    assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("1000", "999")
    close.sim.settings.change(rate_separator=";", rate_headers="combined")
    assert close.get("me/").headers["ratelimit"].startswith("limit=1000; remaining=998; reset=")
    assert "ratelimit-limit" not in close.get("me/").headers


@pytest.mark.parametrize("algorithm", ["window", "token"])
def test_each_group_has_its_bucket_and_the_organization_three_times_as_much(close: Client, algorithm: Any) -> None:
    close.sim.settings.change(rate=0.02, rate_window=100, algorithm=algorithm)
    assert [close.get("me/").status_code for _ in range(3)] == [200, 200, 429]
    assert close.get("user/").status_code == 200
    assert close.search("lead").status_code == 200
    assert close.get("task/").status_code == 200
    assert close.get("activity/").status_code == 200
    assert close.get("activity/note/").status_code == 429


def hint(answer: requests.Response, shape: str) -> Any:
    """What the body of a 429 says in its shape."""
    if shape in ("header", "text"):
        return answer.text
    body = answer.json()
    return {"flat": body.get("rate_reset"), "nested": body.get("error"), "string": body.get("error")}[shape]


@pytest.mark.parametrize("shape", ["header", "flat", "nested", "string", "text"])
def test_a_429_has_one_of_the_known_shapes(close: Client, shape: Any) -> None:
    close.sim.settings.change(rate=0.01, rate_window=100, throttle_shape=shape)
    close.get("me/")
    answer = close.get("me/")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 100
    said = hint(answer, shape)
    assert isinstance(said["rate_reset"] if shape == "nested" else said, str)
    assert (said == "") is (shape == "header")
    assert str(said).startswith("<html>") is (shape == "text")
    close.sim.settings.retry_after = False
    assert "retry-after" not in close.get("me/").headers


# -- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["408", "500", "502", "503", "504", "429-flat", "402", "403"])
def test_a_fault_happens_as_often_as_told_and_only_where_told(close: Client, kind: str) -> None:
    fault = close.sim.fault(Fault(path="activity", kind=kind, times=2, after=1))
    assert close.get("me/").status_code == 200
    codes = [close.get("activity/").status_code for _ in range(4)]
    assert codes == [200, int(kind[:3]), int(kind[:3]), 200]
    assert fault.hits == 2


def test_a_fault_by_probability_is_the_same_every_time(close: Client) -> None:
    def codes() -> list[int]:
        close.sim.clear_faults()
        close.sim.fault(Fault(kind="503", probability=0.5, seed=7, body=""))
        return [close.get("me/").status_code for _ in range(12)]

    first = codes()
    assert set(first) == {200, 503}
    assert codes() == first


@pytest.mark.parametrize("kind", ["reset", "close", "cut length", "cut chunked"])
def test_connections_break(close: Client, kind: str) -> None:
    kind, _, framing = kind.partition(" ")
    close.sim.fault(Fault(path="me", kind=kind, framing=framing))
    with pytest.raises(requests.RequestException):
        _ = close.get("me/").content
    assert close.get("me/").status_code == 200


def test_a_body_without_length_ends_where_it_was_cut(close: Client) -> None:
    close.sim.settings.gzip = False
    close.sim.fault(Fault(path="me", kind="cut", framing="close"))
    with pytest.raises(ValueError, match=r".+"):
        close.get("me/").json()


@pytest.mark.parametrize("kind", ["stall_headers", "stall_body"])
def test_answers_stall(close: Client, kind: str) -> None:
    close.sim.fault(Fault(path="me", kind=kind, seconds=30))
    with pytest.raises(requests.RequestException):
        _ = requests.get(close.sim.url + "me/", auth=(close.sim.api_key, ""), timeout=0.2).content


def test_answers_come_late(close: Client) -> None:
    close.sim.fault(Fault(path="me", kind="stall_headers", seconds=0.05))
    assert close.get("me/").status_code == 200


def test_answers_drip(close: Client) -> None:
    close.sim.fault(Fault(path="me", kind="drip", at=50, seconds=0.001))
    assert close.get("me/").json()["id"].startswith("user_")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("text/html", "<!DOCTYPE"), ("application/json", "{}"), ("application/json", "[]"), ("text/html", "")],
)
def test_good_statuses_with_bad_bodies(close: Client, kind: str, text: str) -> None:
    close.sim.fault(Fault(path="user", kind="200", body=text))
    answer = close.get("user/")
    assert answer.status_code == 200
    assert answer.text.startswith(text)
    assert answer.headers["content-type"] == kind


# -- tools for tests ---------------------------------------------------------------------------------------------


def test_requests_are_logged_and_data_may_change_before_an_answer(close: Client) -> None:
    close.sim.on_request = lambda _: notes(close, SECOND + "Z")
    assert len(close.ids("activity/", _limit=5)) == 1
    request = close.sim.requests[-1]
    assert (request.method, request.path, request.params) == ("GET", "activity", {"_limit": "5"})
    assert request.status == 200
    assert "authorization" not in request.headers
    close.sim.clear_requests()
    assert close.sim.requests == []


def test_the_simulator_is_steered_over_http_too(close: Client) -> None:
    root = close.sim.root + "/_simulator/"
    change = {"collection": "activity", "action": "make", "row": {"type": "Call", "note": "hi"}}
    made = requests.post(root + "change", json=change, timeout=5).json()
    assert close.rows("activity/call/")[0] == made
    requests.post(root + "change", json={"collection": "activity", "id": made["id"], "row": {"note": "x"}}, timeout=5)
    assert requests.get(root + "truth/activity", timeout=5).json()[0]["note"] == "x"
    requests.post(root + "fault", json={"path": "me", "kind": "500"}, timeout=5)
    assert close.get("me/").status_code == 500
    assert requests.post(root + "settings", json={"skip_cap": 1}, timeout=5).json()["skip_cap"] == 1
    assert requests.get(root + "requests", timeout=5).json()[-1]["path"] == "me"
    assert requests.post(root + "settings", json={"nonsense": 1}, timeout=5).status_code == 400


def test_thirty_two_requests_are_served_at_once(close: Client) -> None:
    barrier = threading.Barrier(32, timeout=5)
    close.sim.on_request = lambda _: barrier.wait()
    codes: list[int] = []

    def ask() -> None:
        codes.append(requests.get(close.sim.url + "me/", auth=(close.sim.api_key, ""), timeout=5).status_code)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 32


def test_the_same_seed_makes_the_same_organization() -> None:
    one, two = (CloseSimulator(Settings(now=NOW, leads=5, activities=50, events=20)) for _ in range(2))
    for name, collection in one.data.items():
        assert collection.truth == two.data[name].truth
    assert CloseSimulator(Settings(now=NOW, seed=2, leads=5)).data["lead"].truth != one.data["lead"].truth


def test_generated_rows_are_odd_in_the_known_ways(full: Client) -> None:
    rows = full.sim.data["activity"].rows()
    created = [row["date_created"] for row in rows]
    assert any("." not in each for each in created)
    assert any(each > "2026-06-02" for each in created)
    assert min(created) < "2025-01-01"
    assert max(created.count(each) for each in created) >= 30
    assert all(len(row["id"]) == len("acti_") + 43 for row in rows)


def test_a_changed_generated_row_keeps_its_id_and_moves_in_every_order(full: Client) -> None:
    sim = CloseSimulator(Settings(now=NOW, activities=200, leads=5))
    collection = sim.data["activity"]
    index = collection.index("date_created")
    id_ = collection.id_of(index.slots[0])
    collection.update(id_, date_created="2026-06-01T11:00:00+00:00")
    assert list(index.keys) == sorted(index.keys)
    assert len(collection) == len(index.keys) == 200
    assert collection.truth[id_]["date_created"] == "2026-06-01T11:00:00+00:00"
    collection.delete(id_)
    assert id_ not in collection
    assert len(index.keys) == 199


def test_a_million_rows_are_made_only_when_looked_at() -> None:
    for close in client_of(Settings.empty(now=NOW, activities=1_000_000, leads=1000)):
        window = {"date_created__gte": "2026-02-01T00:00:00Z", "date_created__lt": "2026-02-02T00:00:00Z"}
        assert len(close.ids("activity/", **window)) == 100
        assert len(close.sim.data["activity"]) == 1_000_000
