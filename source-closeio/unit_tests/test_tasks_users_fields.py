"""Tasks, users and the definitions of custom fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from simulator import CloseSimulator, Settings
from unit_tests.syncs import sync, table

Close = Callable[..., CloseSimulator]
MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_tasks_of_every_type_come_as_close_sent_them(close: Close) -> None:
    sim = close(Settings(tasks=400))

    result = sync(sim, "tasks")

    assert result.table("tasks") == sim.data["task"].truth
    assert len({row["_type"] for row in result.rows("tasks")}) > 7


def test_many_tasks_are_shared_out_and_none_comes_twice(close: Close) -> None:
    sim = close(Settings(tasks=25_000))

    result = sync(sim, "tasks")

    assert len(result.rows("tasks")) == len(result.table("tasks")) == 25_000
    assert len(result.states("tasks")) > 1


def test_only_changed_tasks_come_again(close: Close) -> None:
    sim = close()
    done, _ = (sim.data["task"].add(sim.make_task(date_created=MAY), log=False)["id"] for _ in range(2))
    first = sync(sim, "tasks")
    sim.data["task"].update(done, is_complete=True)

    second = sync(sim, "tasks", state=first.state)

    assert set(second.table("tasks")) == {done}
    assert second.table("tasks")[done]["is_complete"] is True


def test_tasks_created_in_one_second_beyond_the_skip_cap(close: Close) -> None:
    sim = close(skip_cap=300, max_limits={"": 100})
    for number in range(1500):
        task = sim.make_task(date_created=MAY, date_updated=MAY + timedelta(minutes=number))
        sim.data["task"].add(task, log=False)

    result = sync(sim, "tasks")

    assert len(result.rows("tasks")) == len(result.table("tasks")) == 1500


def test_an_import_of_tasks_of_one_type_in_one_second_beyond_the_skip_cap(close: Close) -> None:
    """Both dates are equal: only the lead tells them apart."""
    sim = close(skip_cap=300, max_limits={"": 100})
    leads = [sim.data["lead"].add(sim.make_lead(), log=False)["id"] for _ in range(60)]
    for lead in leads * 10:
        sim.data["task"].add(sim.make_task(date_created=MAY, date_updated=MAY, lead_id=lead, _type="lead"), log=False)

    result = sync(sim, "tasks")

    assert len(result.rows("tasks")) == len(result.table("tasks")) == 600
    assert not result.errors


def test_tasks_edited_while_they_are_read_end_in_their_newest_form(close: Close) -> None:
    sim = close(Settings(tasks=600, max_limits={"": 100}))
    victims = iter(sorted(sim.data["task"].truth)[::6])
    sim.on_request = lambda _: sim.data["task"].update(next(victims), text="edited", log=False) and None
    first = sync(sim, "tasks")
    sim.on_request = None

    second = sync(sim, "tasks", state=first.state)

    assert table("tasks", first, second) == sim.data["task"].truth


def test_all_users_are_read_whatever_the_start_date(close: Close) -> None:
    sim = close(users=1)
    sim.data["user"].add(sim.make_user(date_created=MAY, date_updated=MAY), log=False)

    result = sync(sim, "users", start_date="2026-01-01")

    assert result.table("users") == sim.data["user"].truth


def test_unchanged_users_do_not_come_again(close: Close) -> None:
    sim = close(Settings(users=9))
    first = sync(sim, "users")
    changed = sorted(sim.data["user"].truth)[3]
    sim.data["user"].update(changed, first_name="Zoë")

    second = sync(sim, "users", state=first.state)

    assert set(second.table("users")) == {changed}
    assert second.states("users")


def test_a_user_who_joins_with_an_old_date_is_read(close: Close) -> None:
    """As one does who has worked in another organization of Close before."""
    sim = close(Settings(users=3))
    first = sync(sim, "users")
    sim.data["user"].add({"id": "user_joined", "date_updated": "2020-01-01T00:00:00+00:00"}, log=False)

    second = sync(sim, "users", state=first.state)

    assert set(second.table("users")) == {"user_joined"}
    assert not sync(sim, "users", state=second.state).table("users")


def test_users_that_vanish_while_the_list_is_read_hide_no_others(close: Close) -> None:
    sim = close(Settings(users=350, max_limits={"": 100}))
    leavers = iter([row["id"] for row in sim.data["user"].rows()][:40:4])
    sim.on_request = lambda _: sim.data["user"].delete(next(leavers), log=False) and None

    result = sync(sim, "users")

    assert sim.data["user"].truth.keys() <= result.table("users").keys()


def test_custom_fields_of_all_objects_with_shared_ones_once(close: Close) -> None:
    sim = close(Settings())

    rows = sync(sim, "custom_fields").rows("custom_fields")

    truth = {n: c.truth for n, c in sim.data.items() if n.startswith("custom_field/")}
    assert {row["id"]: row["object_type"] for row in rows} == {
        id_: name.removeprefix("custom_field/") for name, table in truth.items() for id_ in table
    }
    assert len(rows) == sum(len(table) for table in truth.values())
    assert all(row["associations"] for row in rows if row["object_type"] == "shared")


def test_definitions_that_the_plan_lacks_are_left_out_with_a_warning(close: Close) -> None:
    sim = close(Settings(forbidden={"custom_field/custom_object_type": (404, {"error": "Not found"})}))

    result = sync(sim, "custom_fields")

    assert {row["object_type"] for row in result.rows("custom_fields")} == {
        *("shared", "lead", "contact", "opportunity", "activity")
    }
    assert "left out" in result.log
