"""Columns that the user deselected are not asked for, new ones of Close's come, and changed ones are told of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from simulator import CloseSimulator, Request, Settings
from simulator.faults import Fault
from source_closeio.families.changed_rows import FollowingStream
from source_closeio.families.columns import fits
from source_closeio.streams import STREAMS
from unit_tests.syncs import catalog, sync

Close = Callable[..., CloseSimulator]
MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)
FOLLOWING = [stream for stream in STREAMS if issubclass(stream, FollowingStream)]
TRANSCRIPTS = ("recording_transcript", "voicemail_transcript", "transcripts")
TEXT = {"type": ["null", "string"]}


def only(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, TEXT)


def named(request: Request) -> set[str] | None:
    """The fields that a request for rows names."""
    if request.path == "data/search":
        ((names),) = request.body["_fields"].values()
        return set(names)
    fields = request.params.get("_fields")
    return set(fields.split(",")) if fields else None


def rows_asked(sim: CloseSimulator) -> list[Request]:
    return [each for each in sim.requests if each.path not in ("me", "event", "custom_object_type")]


@pytest.fixture(scope="module")
def full() -> Any:
    with CloseSimulator(Settings(activities=900, leads=60, tasks=60, events=20)) as running:
        yield running


@pytest.mark.parametrize("stream", FOLLOWING, ids=[stream.name for stream in FOLLOWING])
class TestDeselected:
    """Of every stream whose lists document `_fields`."""

    def test_requests_name_what_is_chosen_and_needed(self, stream: type[FollowingStream], full: CloseSimulator) -> None:
        declared = set(stream.json_schema()["properties"])
        chosen = sorted(declared)[4:6]
        full.clear_requests()

        result = sync(full, stream.name, columns=only(*chosen, "custom.cf_1"))

        asked = [named(request) or set() for request in rows_asked(full)]
        assert asked
        for names in asked:
            assert names >= {*chosen, "id", "custom", "date_updated"} - {"_ab_cdc_deleted_at"}
            assert len(names) <= len(chosen) + 7
        assert result.rows(stream.name)
        assert any(set(chosen) & row.keys() for row in result.rows(stream.name))

    def test_the_same_rows_come(self, stream: type[FollowingStream], full: CloseSimulator) -> None:
        whole, part = sync(full, stream.name), sync(full, stream.name, columns=only("lead_id"))

        assert part.table(stream.name).keys() == whole.table(stream.name).keys()
        assert part.states(stream.name)[-1].keys() == whole.states(stream.name)[-1].keys()
        for id_, row in part.table(stream.name).items():
            assert row.items() <= whole.table(stream.name)[id_].items()

    def test_without_deselection_requests_stay_as_they_are(
        self, stream: type[FollowingStream], full: CloseSimulator
    ) -> None:
        asked = []
        columns: dict[str, Any] | None
        for columns in (None, {}, stream.json_schema()["properties"]):
            full.clear_requests()
            sync(full, stream.name, columns=columns, include_transcripts=True)
            asked.append({(each.method, each.path, frozenset(named(each) or ())) for each in rows_asked(full)})

        listed = {names for _, path, names in asked[0] if path != "data/search"}
        assert listed <= {frozenset(), frozenset(["id", *TRANSCRIPTS])}
        assert asked[0] == asked[1] == asked[2]


def test_rows_that_the_event_log_names_come_with_the_chosen_columns(close: Close) -> None:
    sim = close()
    old = [sim.data["activity"].add(sim.make_activity("Email", date_created=MAY), log=False)["id"] for _ in range(3)]
    columns = only("subject")
    first = sync(sim, "email_activities", columns=columns)
    for id_ in old:
        sim.data["activity"].update(id_, subject="changed")

    second = sync(sim, "email_activities", state=first.state, columns=columns)

    assert {row["subject"] for row in second.rows("email_activities")} == {"changed"}
    assert all("body_html" not in row for row in second.rows("email_activities"))


@pytest.mark.parametrize(("chosen", "asked"), [("recording_transcript", True), ("duration", False)])
def test_transcripts_that_were_deselected_are_not_asked_for(close: Close, chosen: str, asked: bool) -> None:
    sim = close()
    call = sim.make_activity("Call", recording_transcript={"summary_text": "x"}, voicemail_transcript=None)
    sim.data["activity"].add(call, log=False)

    (row,) = sync(sim, "call_activities", columns=only(chosen), include_transcripts=True).rows("call_activities")

    assert ("recording_transcript" in row) == asked
    extra = [named(each) for each in sim.requests if each.params.get("id__in")]
    assert extra == [{"id", "recording_transcript"}] * asked


def test_names_too_long_for_a_url_leave_the_dates_in_it(close: Close) -> None:
    sim = close(Settings(activities=300))
    columns = {
        name: each for name, each in catalog(sim)["activities"].json_schema["properties"].items() if "body" not in name
    }
    sim.clear_requests()

    result = sync(sim, "activities", columns=columns)

    (request, *_) = [each for each in sim.requests if each.path == "activity"]
    assert "date_created__gte" in request.line
    assert "_fields" not in request.line
    assert len(result.rows("activities")) == len(sim.data["activity"])
    assert not any("body_html" in row for row in result.rows("activities"))


@pytest.mark.parametrize("stream", ["note_activities", "tasks", "opportunities"])
def test_a_second_too_dense_is_divided_by_lead_all_the_same(close: Close, stream: str) -> None:
    sim = close(skip_cap=300, max_limits={"": 100})
    make = {"note_activities": ("activity", sim.make_activity), "tasks": ("task", sim.make_task)}
    collection, maker = make.get(stream, ("opportunity", sim.make_opportunity))
    leads = [sim.data["lead"].add(sim.make_lead(), log=False)["id"] for _ in range(20)]
    for lead in leads * 30:
        sim.data[collection].add(maker(date_created=MAY, date_updated=MAY, lead_id=lead), log=False)

    result = sync(sim, stream, columns=only("note"))

    assert not result.errors
    assert len(result.table(stream)) == 600


@pytest.mark.parametrize("stream", ["leads", "contacts"])
class TestAdded:
    """Fields that Close has added come through search."""

    def test_come_and_are_told_of_once(self, close: Close, stream: str) -> None:
        sim = close()
        collection = stream.removesuffix("s")
        make = {"lead": sim.make_lead, "contact": sim.make_contact}[collection]
        new = {f"new_{number}": number for number in range(60)}
        for _ in range(3):
            sim.data[collection].add(make() | new, log=False)

        result = sync(sim, stream)

        assert all(row["new_0"] == 0 for row in result.rows(stream))
        assert result.log.count("does not declare: new_0, new_1") == 1
        assert "new_49 and 10 more" in result.log
        assert "new_50" not in result.log
        assert len([each for each in sim.requests if each.path == collection]) == 1

    def test_are_not_looked_for_where_columns_were_deselected_or_the_list_is_refused(
        self, close: Close, stream: str
    ) -> None:
        sim = close(leads=3)
        collection = stream.removesuffix("s")
        assert sync(sim, stream, columns=only("name")).rows(stream)
        assert collection not in {each.path for each in sim.requests}
        sim.fault(Fault(path=f"{collection}$", kind="403", times=None))

        result = sync(sim, stream)

        assert result.rows(stream)
        assert not result.errors


def test_nobody_asks_for_added_fields_of_streams_that_are_not_read(close: Close) -> None:
    sim = close()

    sync(sim, "users", "tasks")

    assert not {"lead", "contact"} & {each.path for each in sim.requests}


class TestChangedTypes:
    """Close converts the values of a custom field; the table keeps its type."""

    def test_are_told_of_once(self, close: Close) -> None:
        sim = close()
        one, several = "custom.cf_one", "custom.cf_several"
        for _ in range(450):
            sim.data["lead"].add(sim.make_lead() | {one: "text", several: ["a", "b"]}, log=False)
        columns = catalog(sim)["leads"].json_schema["properties"]
        columns |= {one: {"type": ["null", "number"]}, several: TEXT, "custom.cf_unset": TEXT}

        result = sync(sim, "leads", columns=columns)

        assert result.log.count("differ from their declared type") == 1
        assert f"{one} (declared as number), {several} (declared as string)" in result.log
        assert len(result.rows("leads")) == 450

    @pytest.mark.parametrize(
        ("value", "column"),
        [
            (None, {"type": ["null", "number"]}),
            (1, {"type": ["null", "number"]}),
            (2**70, {"type": ["null", "number"]}),
            (1.5, {"type": ["null", "number"]}),
            ([], {"type": ["null", "array"], "items": TEXT}),
            (["a"], {"type": ["null", "array"], "items": TEXT}),
            ("2026-01-01", {"type": ["null", "string"], "format": "date"}),
            ("2026-01-01T00:00:00+00:00", {"type": ["null", "string"], "format": "date-time"}),
            ({"any": "thing"}, {}),
        ],
    )
    def test_not_where_values_fit(self, value: Any, column: dict[str, Any]) -> None:
        assert fits(value, column)

    @pytest.mark.parametrize(
        ("value", "column"),
        [
            ("1", {"type": ["null", "number"]}),
            (True, {"type": ["null", "number"]}),
            (1, TEXT),
            (["a"], TEXT),
            ("a", {"type": ["null", "array"], "items": TEXT}),
            ([1], {"type": ["null", "array"], "items": TEXT}),
            ("2026-01-01T00:00:00+00:00", {"type": ["null", "string"], "format": "date"}),
            ("soon", {"type": ["null", "string"], "format": "date-time"}),
        ],
    )
    def test_where_they_do_not(self, value: Any, column: dict[str, Any]) -> None:
        assert not fits(value, column)
