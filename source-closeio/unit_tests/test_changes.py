"""What happened outside the windows: edits and back-dated rows found by the event log, deletions, merged leads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteStateBlob, AirbyteStateMessage
from simulator import CloseSimulator, Settings
from simulator.faults import Fault
from source_closeio.families.activities import ActivityStream
from source_closeio.streams import STREAMS
from unit_tests.syncs import Sync, assert_not_offered, hurry, saved, sync, table

Close = Callable[..., CloseSimulator]
INCREMENTAL = {
    "leads": "lead",
    "contacts": "contact",
    "opportunities": "opportunity",
    "tasks": "task",
    "custom_objects": "custom_object",
    "users": "user",
    "custom_fields": "custom_field/lead",
    "comments": "comment",
    **{stream.name: "activity" for stream in STREAMS if issubclass(stream, ActivityStream)},
}
LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)


def add(sim: CloseSimulator, count: int = 1, kind: str = "Note", **fields: Any) -> list[str]:
    moments = [LONG_AGO + timedelta(minutes=number) for number in range(count)]
    rows = [sim.make_activity(kind, date_created=moment, **fields) for moment in moments]
    return [sim.data["activity"].add(row, log=False)["id"] for row in rows]


def edit(sim: CloseSimulator, ids: list[str]) -> None:
    for id_ in ids:
        sim.data["activity"].update(id_, note="edited much later")


def asked(sim: CloseSimulator, path: str) -> int:
    return sum(request.path == path for request in sim.requests)


def moved(state: list[AirbyteStateMessage], **values: str) -> list[AirbyteStateMessage]:
    """The state with other values in each stream."""
    for message in state:
        assert message.stream
        message.stream.stream_state = AirbyteStateBlob({**vars(message.stream.stream_state), **values})
    return state


@pytest.fixture(params=["from the log alone", "with the stream event_log"])
def also(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The event log is read for the other streams alone, or it is a stream itself."""
    return ("event_log",) if request.param == "with the stream event_log" else ()


class TestEdits:
    """Of activities that lie far outside the lookback window."""

    def test_come_with_the_next_sync_and_nothing_else_does(self, close: Close, also: tuple[str, ...]) -> None:
        sim = close()
        ids = add(sim, 300) + add(sim, 50, "Call")
        first = sync(sim, "activities", *also)
        edit(sim, ids[:150] + ids[300:310])

        second = sync(sim, "activities", *also, state=first.state)

        assert set(second.table("activities")) == set(ids[:150] + ids[300:310])
        assert len(second.rows("activities")) == 160
        assert table("activities", first, second) == sim.data["activity"].truth

    @pytest.mark.parametrize("stream", ["activities", "meeting_activities"])
    @pytest.mark.parametrize("days", [-3, 3])
    def test_that_move_a_meeting_to_another_day_win(self, close: Close, stream: str, days: int) -> None:
        """Destinations keep the row with the highest published cursor: `date_created` would keep the later day."""
        sim = close()
        (meeting,) = add(sim, kind="Meeting")
        first = sync(sim, stream)
        sim.data["activity"].update(meeting, date_created=(LONG_AGO + timedelta(days=days)).isoformat())

        second = sync(sim, stream, state=first.state)

        assert table(stream, first, second) == sim.data["activity"].truth

    def test_are_taken_in_once(self, close: Close, also: tuple[str, ...]) -> None:
        sim = close()
        ids = add(sim, 3)
        state = sync(sim, "activities", *also).state
        edit(sim, ids)
        second = sync(sim, "activities", *also, state=state)
        for event in sim.data["event"].rows():  # time passes
            earlier = datetime.fromisoformat(event["date_updated"]) - timedelta(minutes=10)
            sim.data["event"].update(event["id"], date_updated=earlier.isoformat(), log=False)

        third = sync(sim, "activities", *also, state=second.state)

        assert len(second.rows("activities")) == 3
        assert not third.rows("activities")

    def test_of_rows_in_the_window_are_not_fetched_once_more(self, close: Close) -> None:
        sim = close()
        state = sync(sim, "activities").state
        sim.data["activity"].add(sim.make_activity("Note"))
        sim.clear_requests()

        result = sync(sim, "activities", state=state)

        assert len(result.rows("activities")) == 1
        assert sorted(request.path for request in sim.requests) == ["activity", "activity/emailthread", "event", "me"]

    def test_of_email_threads_too(self, close: Close) -> None:
        sim = close()
        (thread,) = add(sim, kind="EmailThread")
        state = sync(sim, "activities").state
        sim.data["activity"].update(thread, summary="new")

        assert sync(sim, "activities", state=state).table("activities")[thread]["summary"] == "new"

    @pytest.mark.parametrize("refused", ["so many ids", "a POST for a GET"])
    def test_come_one_by_one_where_ids_are_refused(self, close: Close, refused: str) -> None:
        sim = close()
        ids = add(sim, 40)
        state = sync(sim, "activities").state
        edit(sim, ids)
        if refused == "so many ids":
            sim.settings.change(max_ids=20)
        else:
            sim.fault(Fault(path="activity", method="POST", kind="400", times=None))

        result = sync(sim, "activities", state=state)

        assert set(result.table("activities")) == set(ids)
        assert not result.errors

    def test_come_in_smaller_portions_where_a_hundred_are_refused(self, close: Close) -> None:
        sim = close(max_ids=50)
        ids = add(sim, 300)
        state = sync(sim, "activities").state
        edit(sim, ids)
        sim.clear_requests()

        result = sync(sim, "activities", state=state)

        assert set(result.table("activities")) == set(ids)
        assert asked(sim, "activity") < 15

    def test_come_all_where_only_some_of_the_ids_are_answered(self, close: Close) -> None:
        sim = close(answered_ids=40)
        ids = add(sim, 250)
        state = sync(sim, "activities").state
        edit(sim, ids)

        result = sync(sim, "activities", state=state)

        assert set(result.table("activities")) == set(ids)
        assert len(result.rows("activities")) == 250

    def test_vanished_rows_are_left_out(self, close: Close) -> None:
        sim = close()
        ids = add(sim, 3)
        state = sync(sim, "activities").state
        edit(sim, ids)
        sim.data["activity"].delete(ids[1])

        assert set(sync(sim, "activities", state=state).table("activities")) == {ids[0], ids[2]}

    @pytest.mark.parametrize("stream", sorted(INCREMENTAL))
    def test_of_any_stream_win_in_the_table(self, close: Close, stream: str) -> None:
        """The published cursor never goes down, nor is it null in a newer version."""
        collection = INCREMENTAL[stream]
        sim = close(Settings(leads=12, activities=150, tasks=15, events=0))
        first = sync(sim, stream)
        before = table(stream, first)
        for id_ in [id_ for id_ in before if id_ in sim.data[collection].truth][:5]:
            sim.data[collection].update(id_, updated_by="user_another")

        second = sync(sim, stream, state=first.state)

        after = table(stream, first, second)
        assert len([id_ for id_ in after if after[id_].get("updated_by") == "user_another"]) == min(5, len(before)) > 0

    def test_before_the_start_date_are_not_read(self, close: Close) -> None:
        sim = close()
        ids = add(sim, 2)
        state = sync(sim, "activities", start_date="2024-06-01").state
        edit(sim, ids)

        assert not sync(sim, "activities", start_date="2024-06-01", state=state).rows("activities")


def test_mail_of_years_that_a_mailbox_brings_today_is_read(close: Close) -> None:
    sim = close()
    state = sync(sim, "activities").state
    rows = [sim.make_activity("Email", date_created=LONG_AGO + timedelta(days=day)) for day in range(30)]
    ids = {sim.data["activity"].add(row)["id"] for row in rows}

    assert set(sync(sim, "activities", state=state).table("activities")) == ids


class TestTheLogItself:
    """How it is read for the others."""

    def test_is_read_once_for_all_streams(self, close: Close, also: tuple[str, ...]) -> None:
        sim = close(Settings(activities=50, leads=20, tasks=20, events=0))
        streams = ("activities", "leads", "tasks", "deletions", *also)
        state = sync(sim, *streams).state
        sim.clear_requests()

        sync(sim, *streams, state=state)

        assert asked(sim, "event") == 1

    def test_is_not_read_on_a_first_sync(self, close: Close) -> None:
        sim = close(Settings(activities=50))

        sync(sim, "activities", "leads", "tasks")

        assert asked(sim, "event") == 0

    def test_a_plan_without_it_leaves_the_lookback_and_says_so_once(self, close: Close, also: tuple[str, ...]) -> None:
        sim = close(event_log=False)
        ids = add(sim, 2)
        first = sync(sim, "activities", "leads", *also)
        edit(sim, ids)

        second = sync(sim, "activities", "leads", *also, state=first.state)

        assert not second.rows("activities")
        assert second.statuses("activities")[-1] == "COMPLETE"
        assert second.log.count("does not offer the event log") == 1
        assert second.states("activities")[-1]["events_read_to"] == first.states("activities")[-1]["events_read_to"]

    def test_a_failure_fails_the_streams_that_need_it_and_keeps_their_place(
        self, close: Close, also: tuple[str, ...]
    ) -> None:
        sim = close()
        ids = add(sim, 2)
        first = sync(sim, "activities", "users", *also)
        edit(sim, ids)
        sim.fault(Fault(path="event", kind="500", times=None))

        second = sync(sim, "activities", "users", *also, state=first.state, timing=hurry(2))
        sim.clear_faults()
        third = sync(sim, "activities", *also, state=second.state)

        assert second.statuses("activities")[-1] == "INCOMPLETE"
        assert second.statuses("users")[-1] == "COMPLETE"
        assert set(third.table("activities")) == set(ids)

    @pytest.mark.parametrize("listed", [True, False])
    @pytest.mark.parametrize("trouble", ["none", "500", "403", "not offered"])
    def test_one_worker_for_all_streams_is_enough(self, close: Close, listed: bool, trouble: str) -> None:
        """All streams that wait for the log at once leave a worker to read it."""
        sim = close(Settings(activities=50, leads=20, tasks=20, events=120))
        names = [stream.name for stream in STREAMS if listed or stream.name != "event_log"]
        first = sync(sim, *names)
        ids = list(sim.data["activity"].truth)[:5]
        edit(sim, ids)
        if trouble == "not offered":
            sim.settings.change(event_log=False)
        elif trouble != "none":
            sim.fault(Fault(path="event", kind=trouble, times=None))

        second = sync(sim, *names, state=first.state, timing=hurry(1), num_workers=1, spare_workers=0)

        assert second.names == set(names)
        assert all(second.statuses(name)[-1] in ("COMPLETE", "INCOMPLETE") for name in names)
        assert bool(second.errors) == (trouble != "none")
        assert second.table("activities").keys() >= set(ids) or trouble != "none"

    def test_a_gap_of_more_than_thirty_days_reads_everything_again(self, close: Close, also: tuple[str, ...]) -> None:
        sim = close(Settings(activities=60))
        first = sync(sim, "activities", *also)
        old = (datetime.now(UTC) - timedelta(days=31)).isoformat()

        second = sync(sim, "activities", *also, state=moved(first.state, date_created=old, events_read_to=old))

        assert second.table("activities") == sim.data["activity"].truth
        assert "All rows are read again" in second.log

    def test_a_state_without_a_place_in_the_log_goes_on_from_its_cursor(self, close: Close) -> None:
        sim = close()
        add(sim, 5)

        result = sync(sim, "activities", state=saved("activities", date_created="2024-05-03T00:00:00Z"))

        assert not result.rows("activities")
        assert "clear the stream" in result.log

    def test_a_first_sync_that_is_killed_and_goes_on_sees_what_changed_meanwhile(self, close: Close) -> None:
        sim = close()
        (old,) = add(sim)
        begun = sync(sim, "activities").states("activities")[-1]
        edit(sim, [old])

        killed_after_old = begun | {"date_created": "2024-06-01T00:00:00Z"}
        second = sync(sim, "activities", state=saved("activities", **killed_after_old))

        assert set(second.table("activities")) == {old}


class TestDeletions:
    """One row per object that is gone."""

    def test_through_two_syncs_equal_the_truth(self, close: Close, also: tuple[str, ...]) -> None:
        sim = close(Settings(leads=8, activities=80, tasks=30, events=20))
        gone: dict[str, str] = {}

        def delete(collection: str, kind: str) -> None:
            row = sim.data[collection].rows()[0]
            sim.data[collection].delete(row["id"])
            gone[row["id"]] = kind

        before = {
            id_ for name in ("lead", "contact", "opportunity", "task", "activity") for id_ in sim.data[name].truth
        }
        delete("contact", "contact")
        delete("lead", "lead")
        first = sync(sim, "deletions", *also)
        delete("opportunity", "opportunity")
        second = sync(sim, "deletions", *also, state=first.state)

        rows = table("deletions", first, second)
        after = {id_ for name in ("lead", "contact", "opportunity", "task", "activity") for id_ in sim.data[name].truth}
        events = {row["object_id"] for row in sim.data["event"].rows() if row["action"] == "deleted"}
        assert {row["object_id"] for row in rows.values()} == (before - after) | events
        assert {(row["object_id"], row["object_type"]) for row in rows.values()} >= gone.items()
        assert all(datetime.fromisoformat(row["deleted_at"]).tzinfo for row in rows.values())

    def test_a_merged_lead_comes_once_and_says_where_it_went(self, close: Close) -> None:
        sim = close(Settings(leads=3, activities=0, tasks=0, events=0))
        source, destination, _ = sim.data["lead"].truth

        sim.merge_leads(source, destination)

        rows = [row for row in sync(sim, "deletions").rows("deletions") if row["object_type"] == "lead"]
        assert [(row["object_id"], row["merged_into"]) for row in rows] == [(source, destination)]

    def test_a_merged_lead_whose_deletion_does_not_say_so_comes_once_too(self, close: Close) -> None:
        sim = close(Settings(leads=2, activities=0, tasks=0, events=0))
        source, destination = sim.data["lead"].truth
        sim.data["lead"].delete(source)
        meta = {"merge_source_lead_id": source, "merge_destination_lead_id": destination}
        sim.events.write("lead", "merged", {"id": destination}, meta=meta)

        rows = [row for row in sync(sim, "deletions").rows("deletions") if row["object_type"] == "lead"]

        assert [(row["object_id"], row["merged_into"]) for row in rows] == [(source, destination)]

    def test_a_merge_without_an_event_of_the_deletion_counts_as_well(self, close: Close) -> None:
        sim = close()
        meta = {"merge_source_lead_id": "lead_gone", "merge_destination_lead_id": "lead_stays"}
        sim.events.write("lead", "merged", {"id": "lead_stays"}, meta=meta)

        (row,) = sync(sim, "deletions").rows("deletions")

        assert (row["object_id"], row["lead_id"], row["merged_into"]) == ("lead_gone", "lead_gone", "lead_stays")

    def test_go_back_thirty_days_at_most(self, close: Close) -> None:
        sim = close()
        now = datetime.now(UTC)
        for days in (31, 29):
            moment = now - timedelta(days=days)
            event = sim.make_event(action="deleted", object_id=f"cont_{days}", date_created=moment, date_updated=moment)
            sim.data["event"].add(event, log=False)
        sim.settings.change(event_days=60)

        result = sync(sim, "deletions")

        assert [row["object_id"] for row in result.rows("deletions")] == ["cont_29"]

    def test_a_plan_without_event_log_has_none(self, close: Close) -> None:
        result = sync(close(event_log=False), "deletions", "users")

        assert_not_offered(result, "deletions")


class TestMergedLeads:
    """What belonged to the lead that is gone belongs to the other one now."""

    def test_with_more_rows_than_a_list_shows_are_read_all_the_same(self, close: Close) -> None:
        sim = close(skip_cap=60, max_limits={"": 50}, touch_leads=False)
        source, destination = (sim.data["lead"].add(sim.make_lead(), log=False)["id"] for _ in range(2))
        add(sim, 200, lead_id=source)
        for maker, name in ((sim.make_opportunity, "opportunity"), (sim.make_task, "task")):
            for minute in range(200):
                moment = LONG_AGO + timedelta(minutes=minute)
                row = maker(lead_id=source, date_created=moment, date_updated=moment)
                sim.data[name].add(row, log=False)
        streams = {"activities": "activity", "opportunities": "opportunity", "tasks": "task"}
        first = sync(sim, *streams)
        sim.merge_leads(source, destination, quiet=True)

        second = sync(sim, *streams, state=first.state)

        assert not second.errors
        for stream, collection in streams.items():
            found = table(stream, first, second)
            assert {row["lead_id"] for row in found.values()} == {destination}
            assert found.keys() == sim.data[collection].truth.keys()

    @pytest.mark.parametrize("quiet", [False, True])
    def test_children_are_right_after_the_next_sync(self, close: Close, also: tuple[str, ...], quiet: bool) -> None:
        sim = close(Settings(leads=6, activities=120, tasks=40, events=0))
        streams = {"activities": "activity", "tasks": "task", "leads": "lead", "contacts": "contact"}
        streams |= {"opportunities": "opportunity", "custom_objects": "custom_object"}
        first = sync(sim, *streams, *also)
        source, between, destination, *_ = sim.data["lead"].truth
        sim.merge_leads(source, between, quiet=quiet)
        sim.merge_leads(between, destination, quiet=quiet)

        second = sync(sim, *streams, "deletions", *also, state=first.state)

        gone = {row["object_id"] for row in second.rows("deletions")}
        assert {source, between} <= gone
        for stream, collection in streams.items():
            found, truth = table(stream, first, second), sim.data[collection].truth
            assert {id_: row.get("lead_id") for id_, row in found.items()} == {
                id_: row.get("lead_id") for id_, row in truth.items()
            }, stream
            assert not second.errors


@pytest.mark.parametrize("tells", ["the merged event", "the activity"])
def test_a_merge_that_no_meta_tells_of_moves_the_children_all_the_same(close: Close, tells: str) -> None:
    sim = close(Settings(leads=2, activities=0, tasks=0, events=0))
    source, destination = sim.data["lead"].truth
    note = sim.data["activity"].add(sim.make_activity("Note", date_created=LONG_AGO, lead_id=source), log=False)["id"]
    first = sync(sim, "note_activities")
    last = sim.data["activity"].truth[note]["date_updated"]
    sim.data["activity"].update(note, lead_id=destination, date_updated=last, log=False)
    if tells == "the activity":
        merge = {"id": "acti_merge", "lead_id": source, "destination_lead_id": destination}
        sim.events.write("lead_merge", "updated", merge)
    else:
        sim.events.write("lead", "merged", sim.data["lead"].truth[destination])

    second = sync(sim, "note_activities", state=first.state)

    assert table("note_activities", first, second)[note]["lead_id"] == destination


def test_a_change_in_the_millisecond_of_a_deletion_is_read(close: Close) -> None:
    sim = close()
    (note,) = add(sim)
    first = sync(sim, "note_activities")
    events = [sim.events.write("note", action, sim.data["activity"].truth[note]) for action in ("deleted", "created")]
    sim.data["activity"].update(note, note="back", log=False)
    sim.data["event"].update(events[1]["id"], date_updated=events[0]["date_updated"], log=False)

    second = sync(sim, "note_activities", state=first.state, lookback_window_hours=0)

    assert table("note_activities", first, second) == sim.data["activity"].truth


def test_a_lead_that_is_gone_since_others_were_merged_into_it(close: Close) -> None:
    sim = close(Settings(leads=4, activities=20, tasks=10, events=0))
    streams = ("activities", "tasks", "contacts", "opportunities", "custom_objects")
    first = sync(sim, *streams)
    source, destination, *_ = sim.data["lead"].truth
    sim.merge_leads(source, destination)
    sim.data["lead"].delete(destination)
    sim.fault(Fault(kind="404", times=None, params={"lead_id": destination}))

    assert not sync(sim, *streams, state=first.state).errors


class TestTranscripts:
    """Close gives them only when asked for them, and then nothing else."""

    def test_are_left_out_unless_they_are_wanted(self, close: Close) -> None:
        sim = close()
        add(sim, kind="Call", recording_transcript={"summary": "hello"})

        (row,) = sync(sim, "activities").rows("activities")

        assert "recording_transcript" not in row

    def test_come_beside_all_other_fields(self, close: Close) -> None:
        sim = close()
        (call,) = add(sim, kind="Call", recording_transcript={"summary": "hello"}, voicemail_transcript=None)
        (meeting,) = add(sim, kind="Meeting", transcripts=[{"summary": "met"}])
        add(sim, 60, "Call")
        add(sim, 60)
        plain = sync(sim, "activities").table("activities")

        full = sync(sim, "activities", include_transcripts=True).table("activities")

        assert full[call] == plain[call] | {"recording_transcript": {"summary": "hello"}, "voicemail_transcript": None}
        assert full[meeting] == plain[meeting] | {"transcripts": [{"summary": "met"}]}
        assert full.keys() == plain.keys()

    def test_of_calls_that_changed_as_well(self, close: Close) -> None:
        sim = close()
        (call,) = add(sim, kind="Call", recording_transcript=None)
        state = sync(sim, "activities", include_transcripts=True).state
        sim.data["activity"].update(call, recording_transcript={"summary": "late"}, note="transcribed")

        again: Sync = sync(sim, "activities", include_transcripts=True, state=state)

        assert again.table("activities")[call]["recording_transcript"] == {"summary": "late"}
