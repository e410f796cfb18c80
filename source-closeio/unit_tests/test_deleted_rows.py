"""Deleted rows leave the table: marked in the streams themselves, and never one that exists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulator import CloseSimulator, Settings
from source_closeio.streams import STREAMS
from unit_tests.syncs import Sync, catalog, saved, sync, table

from simkit.destination import DELETED_AT

Close = Callable[..., CloseSimulator]
LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)
STREAMS_AND_COLLECTIONS = {
    "leads": "lead",
    "contacts": "contact",
    "opportunities": "opportunity",
    "tasks": "task",
    "custom_objects": "custom_object",
    "activities": "activity",
}
ACTIVITIES = [stream.name for stream in STREAMS if stream.name.endswith(("_activities", "activity_instances"))]


def marked(result: Sync, stream: str) -> list[dict[str, Any]]:
    return [row for row in result.rows(stream) if row.get(DELETED_AT)]


def test_a_sync_after_deletions_ends_with_closes_own_tables(close: Close) -> None:
    sim = close(Settings(leads=30, activities=300, tasks=60, events=0))
    streams = [*STREAMS_AND_COLLECTIONS, *ACTIVITIES]
    first = sync(sim, *streams)
    for collection in STREAMS_AND_COLLECTIONS.values():
        for row in sim.data[collection].rows()[:3]:
            sim.data[collection].delete(row["id"])
    sim.merge_leads(*list(sim.data["lead"].truth)[:2])

    second = sync(sim, *streams, state=first.state)

    assert not second.errors
    for stream, collection in STREAMS_AND_COLLECTIONS.items():
        assert table(stream, first, second).keys() == sim.data[collection].truth.keys(), stream
        assert len(marked(second, stream)) >= 3
    by_type = {id_ for stream in ACTIVITIES for id_ in table(stream, first, second)}
    assert by_type == sim.data["activity"].truth.keys()


def test_a_marked_row_is_the_whole_last_version_and_fits_the_schema(close: Close) -> None:
    import jsonschema

    sim = close()
    note = sim.data["activity"].add(sim.make_activity("Note", date_created=LONG_AGO, note="the last"), log=False)
    state = sync(sim, "note_activities").state
    last = sim.data["activity"].delete(note["id"])
    before = datetime.now(UTC)

    (row,) = marked(sync(sim, "note_activities", state=state), "note_activities")

    assert {**last, "date_updated": 0, DELETED_AT: 0} == {**row, "date_updated": 0, DELETED_AT: 0}
    assert row["date_updated"] == row[DELETED_AT]
    assert abs(datetime.fromisoformat(row[DELETED_AT]) - before) < timedelta(seconds=5)
    jsonschema.Draft7Validator(catalog(sim)["note_activities"].json_schema).validate(row)


def test_a_key_that_does_not_see_the_last_version_marks_key_and_cursor(close: Close) -> None:
    sim = close(Settings(role="user", leads=3, activities=0, tasks=0, events=0))
    first = sync(sim, "contacts")
    (gone, *_) = sim.data["contact"].truth
    sim.data["contact"].delete(gone)
    for event in sim.data["event"].rows():
        earlier = datetime.fromisoformat(event["date_updated"]) - timedelta(hours=2)
        sim.data["event"].update(event["id"], date_updated=earlier.isoformat(), log=False)
    state = first.state
    for message in state:
        assert message.stream
        vars(message.stream.stream_state)["events_read_to"] = (datetime.now(UTC) - timedelta(hours=3)).isoformat()

    second = sync(sim, "contacts", state=state)

    (row,) = marked(second, "contacts")
    assert row.keys() == {"id", "date_updated", DELETED_AT}
    assert gone not in table("contacts", first, second)


def test_the_cursor_of_a_marked_row_is_not_below_that_of_its_last_version(close: Close) -> None:
    sim = close()
    ahead = datetime.now(UTC) + timedelta(hours=1)
    task = sim.data["task"].add(sim.make_task(date_updated=ahead), log=False)["id"]
    first = sync(sim, "tasks")
    sim.data["task"].delete(task)

    assert not table("tasks", first, sync(sim, "tasks", state=first.state))


def test_a_row_that_was_touched_in_the_millisecond_of_its_deletion_goes(close: Close) -> None:
    """Events have milliseconds, rows microseconds; a key without admin rights does not see the last version."""
    sim = close(Settings(leads=0, activities=0, tasks=0, events=0))
    touched = datetime.now(UTC).replace(microsecond=358_352)
    lead = sim.data["lead"].add(sim.make_lead(date_updated=touched), log=False)["id"]
    first = sync(sim, "leads")
    row = sim.data["lead"].delete(lead, log=False)
    event = sim.events.write("lead", "deleted", row)
    cut = touched.replace(tzinfo=None).isoformat(timespec="milliseconds")
    sim.data["event"].update(event["id"], previous_data=None, date_updated=cut, log=False)

    second = sync(sim, "leads", state=first.state)

    assert marked(second, "leads")
    assert not table("leads", first, second)


class TestNeverARowThatExists:
    """What is back, or was only moved, stays in the table."""

    def test_restored_with_an_event(self, close: Close) -> None:
        sim = close(Settings(leads=3, activities=0, tasks=0, events=0))
        first = sync(sim, "leads", "contacts")
        id_ = next(iter(sim.data["contact"].truth))
        row = sim.data["contact"].delete(id_)
        sim.data["contact"].add(row)

        second = sync(sim, "leads", "contacts", state=first.state)

        assert not marked(second, "contacts")
        assert table("contacts", first, second).keys() == sim.data["contact"].truth.keys()

    @pytest.mark.parametrize("stream", ["leads", "contacts", "opportunities"])
    @pytest.mark.parametrize("is_there", [True, False])
    def test_changed_after_its_deletion(self, close: Close, stream: str, is_there: bool) -> None:
        """Restored, with an old date, as an update; or deleted, with an update that was logged late."""
        sim = close(Settings(leads=3, activities=0, tasks=0, events=0))
        first = sync(sim, stream)
        kind = STREAMS_AND_COLLECTIONS[stream]
        rows = sim.data[kind]
        id_ = next(iter(rows.truth))
        row = rows.delete(id_)
        kept = rows.add(row, log=False) if is_there else row
        sim.events.write(kind, "updated", kept)

        second = sync(sim, stream, state=first.state)

        assert (id_ in table(stream, first, second)) == is_there

    def test_restored_without_an_event_but_read_in_this_sync(self, close: Close) -> None:
        sim = close()
        note = sim.data["activity"].add(sim.make_activity())
        first = sync(sim, "activities")
        row = sim.data["activity"].delete(note["id"])
        sim.data["activity"].add(row, log=False)

        second = sync(sim, "activities", state=first.state)

        assert note["id"] in table("activities", first, second)

    def test_deleted_twice_comes_once(self, close: Close) -> None:
        sim = close(Settings(leads=1, activities=0, tasks=0, events=0))
        first = sync(sim, "contacts")
        id_ = next(iter(sim.data["contact"].truth))
        sim.data["contact"].add(sim.data["contact"].delete(id_))
        sim.data["contact"].delete(id_)

        assert len(marked(sync(sim, "contacts", state=first.state), "contacts")) == 1

    def test_an_event_of_a_merge_about_a_child_that_moved(self, close: Close) -> None:
        sim = close(Settings(leads=2, activities=0, tasks=0, events=0))
        first = sync(sim, "contacts")
        contact = next(iter(sim.data["contact"].truth))
        source, destination = sim.data["lead"].truth
        meta = {"merge_source_lead_id": source, "merge_destination_lead_id": destination}
        sim.events.write("contact", "deleted", sim.data["contact"].truth[contact], meta=meta)

        assert not marked(sync(sim, "contacts", state=first.state), "contacts")


@pytest.mark.parametrize("is_there", [True, False])
def test_an_activity_of_a_type_that_is_new_in_close(close: Close, is_there: bool) -> None:
    """The event is of a merge, so the connector has to ask whether the activity is gone."""
    sim = close(Settings(leads=2, activities=0, tasks=0, events=0))
    source, destination = sim.data["lead"].truth
    note = sim.data["activity"].add(sim.make_activity("Note", date_created=LONG_AGO), log=False)
    first = sync(sim, "activities")
    if not is_there:
        sim.data["activity"].delete(note["id"], log=False)
    meta = {"merge_source_lead_id": source, "merge_destination_lead_id": destination}
    sim.events.write("activity.telegram", "deleted", note, meta=meta)

    second = sync(sim, "activities", state=first.state)

    assert not second.errors
    assert (note["id"] in table("activities", first, second)) == is_there


def test_both_spellings_of_an_activitys_type_are_known(close: Close) -> None:
    sim = close()
    notes = [sim.data["activity"].add(sim.make_activity("Note", date_created=LONG_AGO), log=False) for _ in range(2)]
    first = sync(sim, "activities", "note_activities")
    sim.data["activity"].delete(notes[0]["id"], log=False)
    sim.data["activity"].update(notes[1]["id"], note="edited", log=False)
    sim.events.write("note", "deleted", notes[0])
    sim.events.write("note", "updated", notes[1])

    second = sync(sim, "activities", "note_activities", state=first.state)

    for stream in ("activities", "note_activities"):
        assert table(stream, first, second) == sim.data["activity"].truth


def test_a_merged_lead_without_an_event_of_its_deletion_is_marked(close: Close) -> None:
    sim = close(Settings(leads=2, activities=0, tasks=0, events=0))
    first = sync(sim, "leads")
    source, destination = sim.data["lead"].truth
    sim.data["lead"].delete(source, log=False)
    meta = {"merge_source_lead_id": source, "merge_destination_lead_id": destination}
    sim.events.write("lead", "merged", {"id": destination}, meta=meta)

    assert table("leads", first, sync(sim, "leads", state=first.state)).keys() == {destination}


def test_a_first_sync_marks_nothing_and_neither_does_a_setting_that_says_so(close: Close) -> None:
    sim = close(Settings(leads=5, activities=20, tasks=5, events=0))
    first = sync(sim, *STREAMS_AND_COLLECTIONS)
    sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))

    without = sync(sim, *STREAMS_AND_COLLECTIONS, state=first.state, mark_deleted_rows=False)

    assert not any(marked(result, stream) for result in (first, without) for stream in STREAMS_AND_COLLECTIONS)


def test_after_more_than_thirty_days_what_is_known_is_marked_and_the_rest_is_said(close: Close) -> None:
    sim = close(Settings(leads=4, activities=0, tasks=0, events=0))
    first = sync(sim, "leads")
    sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))
    old = (datetime.now(UTC) - timedelta(days=31)).isoformat()

    second = sync(sim, "leads", state=saved("leads", date_updated=old, events_read_to=old))

    assert "deleted in between can no longer be known" in second.log
    assert "clear the stream" in second.log
    assert len(marked(second, "leads")) == 1
    assert "deletions_read_to" not in second.states("leads")[-1]
    assert table("leads", first, second).keys() == sim.data["lead"].truth.keys()


def test_a_stream_that_is_read_anew_and_killed_goes_on_with_the_deletions_it_owes(close: Close) -> None:
    sim = close(Settings(leads=4, activities=0, tasks=0, events=0))
    first = sync(sim, "leads")
    sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))
    old = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    second = sync(sim, "leads", state=saved("leads", date_updated=old, events_read_to=old))
    begun = second.states("leads")[0]  # killed before the deletions

    third = sync(sim, "leads", state=saved("leads", **begun))

    assert datetime.fromisoformat(begun["deletions_read_to"]) < datetime.now(UTC) - timedelta(days=29)
    assert len(marked(third, "leads")) == 1
    assert "deletions_read_to" not in third.states("leads")[-1]
    assert table("leads", first, third).keys() == sim.data["lead"].truth.keys()


def test_what_the_index_still_finds_after_it_was_marked_does_not_come_back(close: Close) -> None:
    sim = close(search_lag=0.0)
    lead = sim.data["lead"].add(sim.make_lead())["id"]
    first = sync(sim, "leads")
    sim.settings.search_lag = 3600.0
    sim.data["lead"].delete(lead)
    second = sync(sim, "leads", state=first.state)
    for event in sim.data["event"].rows():  # time passes
        earlier = datetime.fromisoformat(event["date_updated"]) - timedelta(minutes=7)
        sim.data["event"].update(event["id"], date_updated=earlier.isoformat(), log=False)

    third = sync(sim, "leads", state=second.state)

    assert [row["id"] for row in third.rows("leads") if not row.get(DELETED_AT)] == [lead]
    assert not table("leads", first, second)
    assert not table("leads", first, second, third)


def test_deletions_are_marked_once(close: Close) -> None:
    sim = close(Settings(leads=4, activities=0, tasks=0, events=0))
    first = sync(sim, "leads")
    sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))
    second = sync(sim, "leads", state=first.state)
    for event in sim.data["event"].rows():  # time passes
        earlier = datetime.fromisoformat(event["date_updated"]) - timedelta(minutes=11)
        sim.data["event"].update(event["id"], date_updated=earlier.isoformat(), log=False)

    third = sync(sim, "leads", state=second.state)

    assert len(marked(second, "leads")) == 1
    assert not marked(third, "leads")
