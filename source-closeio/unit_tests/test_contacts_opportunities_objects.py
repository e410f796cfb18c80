"""Contacts, opportunities and custom objects: by time of change, each by the way that Close offers for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulator import CloseSimulator, Settings
from unit_tests.syncs import assert_not_offered, catalog, sync, table

Close = Callable[..., CloseSimulator]
STREAMS = {"contacts": "contact", "opportunities": "opportunity", "custom_objects": "custom_object"}
MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)


def add(sim: CloseSimulator, *moments: datetime, **fields: Any) -> list[str]:
    """Opportunities that were changed at these moments."""
    rows = [sim.make_opportunity(**{"date_created": moment, "date_updated": moment, **fields}) for moment in moments]
    return [sim.data["opportunity"].add(row, log=False)["id"] for row in rows]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_row_comes_once_and_what_changes_comes_again(close: Close, stream: str) -> None:
    sim = close(Settings(leads=400))
    collection = sim.data[STREAMS[stream]]

    first = sync(sim, stream)
    changed = sorted(collection.truth)[::7]
    for id_ in changed:
        collection.update(id_, updated_by="user_another")
    second = sync(sim, stream, state=first.state)

    assert len(first.rows(stream)) == len(first.table(stream)) == len(collection)
    assert set(second.table(stream)) >= set(changed)
    assert first.table(stream).keys() == collection.truth.keys()
    assert all(second.table(stream)[id_]["updated_by"] == "user_another" for id_ in changed)


@pytest.mark.parametrize(
    ("stream", "owner"), [*zip(STREAMS, ["contact", "opportunity", "custom_object_type"], strict=True)]
)
def test_own_fields_are_columns(close: Close, stream: str, owner: str) -> None:
    sim = close()
    field = sim.data[f"custom_field/{owner}"].add(sim.make_custom_field(owner, type="number"), log=False)["id"]

    assert catalog(sim)[stream].json_schema["properties"][f"custom.{field}"]["type"] == ["null", "number"]


class TestOpportunities:
    """A list sorted by time of change."""

    def test_equal_timestamps_across_page_edges(self, close: Close) -> None:
        sim = close()
        for second in range(200):
            add(sim, *(MAY + timedelta(seconds=second, milliseconds=ms) for ms in (0, 0, 500, 999)))
        add(sim, *[MAY + timedelta(minutes=9)] * 600)  # more than a page in one millisecond
        add(sim, MAY + timedelta(minutes=10))

        rows = sync(sim, "opportunities").rows("opportunities")

        assert len(rows) == len({row["id"] for row in rows}) == 1401

    def test_an_import_of_more_than_the_skip_cap_in_one_second(self, close: Close) -> None:
        """Both dates are equal: only the lead tells them apart."""
        sim = close(skip_cap=300)
        leads = [sim.data["lead"].add(sim.make_lead(), log=False)["id"] for _ in range(90)]
        for lead in leads:
            add(sim, *[MAY] * 10, date_created=MAY, lead_id=lead)

        result = sync(sim, "opportunities")

        assert len(result.rows("opportunities")) == len(result.table("opportunities")) == 900
        assert not result.errors

    def test_a_bulk_edit_of_more_than_the_skip_cap(self, close: Close) -> None:
        sim = close(skip_cap=300)
        for day in range(900):
            add(sim, MAY, date_created=MAY - timedelta(days=day))
        add(sim, MAY + timedelta(seconds=2))

        result = sync(sim, "opportunities")

        assert len(result.table("opportunities")) == 901
        assert not result.errors

    def test_those_that_change_while_they_are_read_end_in_their_newest_form(self, close: Close) -> None:
        sim = close(Settings(leads=3000))
        victims = iter(sorted(sim.data["opportunity"].truth)[::9])

        def edit(_: object) -> None:
            for _turn in range(3):
                if (victim := next(victims, None)) is not None:
                    sim.data["opportunity"].update(victim, note="edited")

        sim.on_request = edit
        first = sync(sim, "opportunities")
        sim.on_request = None
        second = sync(sim, "opportunities", state=first.state)

        found = table("opportunities", first, second)
        truth = sim.data["opportunity"].truth
        assert {id_: row["note"] for id_, row in found.items()} == {id_: row["note"] for id_, row in truth.items()}

    def test_that_vanish_while_they_are_read_hide_no_others(self, close: Close) -> None:
        sim = close(Settings(leads=2000))
        victims = iter(sorted(sim.data["opportunity"].truth)[::11])

        def delete(_: object) -> None:
            if (victim := next(victims, None)) is not None:
                sim.data["opportunity"].delete(victim)

        sim.on_request = delete
        result = sync(sim, "opportunities")

        assert sim.data["opportunity"].truth.keys() <= result.table("opportunities").keys()


def test_custom_objects_of_every_type(close: Close) -> None:
    sim = close()
    types = [sim.data["custom_object_type"].add({"name": name}, log=False)["id"] for name in ("Car", "House", "Boat")]
    for type_id in types[:2]:
        for number in range(250):
            row = {"custom_object_type_id": type_id, "lead_id": "lead_1", "name": f"{number}", "custom.cf_x": number}
            sim.data["custom_object"].add(row, log=False)

    result = sync(sim, "custom_objects")

    assert len(result.rows("custom_objects")) == 500
    assert result.table("custom_objects").keys() == sim.data["custom_object"].truth.keys()
    assert {row["custom.cf_x"] for row in result.rows("custom_objects")} == set(range(250))


def test_a_plan_without_custom_objects_fails_this_stream_alone(close: Close) -> None:
    sim = close(forbidden={"custom_object_type": (402, {"error": "Upgrade your plan."})})

    assert_not_offered(sync(sim, "custom_objects", "users"), "custom_objects")
