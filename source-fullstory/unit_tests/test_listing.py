"""The list of bundles: every bundle once, in the order of their ends, whatever the server does; and an end."""

import itertools

import pytest
from simulator import Fault
from unit_tests.syncs import Account

HOUR = 3600
JAN_1 = 1_704_067_200
BUNDLES = ["export_bundles"]


def listed(account: Account) -> list[int]:
    outcome = account.sync(streams=BUNDLES)
    assert outcome.status("export_bundles") == "COMPLETE", outcome.log
    return [row["id"] for row in outcome.records("export_bundles")]


@pytest.mark.parametrize(
    ("order", "shape", "inclusive", "repeats", "page_size"),
    list(itertools.product(["sorted", "shuffled"], ["pascal", "lower"], [False, True], [False, True], [5, 20, 21])),
)
def test_all_bundles_are_listed_once_and_the_walk_ends(
    account: Account, order: str, shape: str, inclusive: bool, repeats: bool, page_size: int
) -> None:
    account.sim.settings.change(
        order=order, shape=shape, inclusive_start=inclusive, repeat_last_page=repeats, page_size=page_size
    )
    bundles = account.sim.add_period("2024-01-01", "2024-01-13", hours=6, events=0)
    assert listed(account) == [bundle.id for bundle in bundles]
    assert len(account.sim.requests) < 20


def test_a_page_cut_in_the_middle_of_one_stop_loses_nothing(account: Account) -> None:
    stop = JAN_1 + 48 * HOUR
    for number in range(18):
        account.sim.add_bundle(JAN_1 + number * HOUR, JAN_1 + (number + 1) * HOUR, 0)
    for hours in range(1, 8):
        account.sim.add_bundle(stop - hours * HOUR, stop, 0)
    account.sim.add_bundle(stop, stop + HOUR, 0)
    account.sim.settings.order = "reversed"
    assert sorted(listed(account)) == sorted(bundle.id for bundle in account.sim.bundles)


def test_more_bundles_with_one_stop_than_a_page_shows_are_spoken_of(account: Account) -> None:
    stop = JAN_1 + 48 * HOUR
    for half_hours in range(1, 26):
        account.sim.add_bundle(stop - half_hours * HOUR // 2, stop, 0)
    outcome = account.sync(streams=BUNDLES)
    assert len(outcome.records("export_bundles")) == 20
    assert "20 bundles that all end at 2024-01-03T00:00:00Z" in outcome.log


def test_a_server_that_lists_what_is_no_bundle_is_an_error(account: Account) -> None:
    account.sim.settings.page_size = 1
    account.sim.add_bundle("2024-01-01", "2024-01-02", 0)
    account.sim.fault(Fault("/list", "error_object", times=99))
    outcome = account.sync(streams=BUNDLES)
    assert "answered without a list of bundles" in outcome.errors()[0]["message"]


def test_nothing_listed_is_a_complete_sync_without_a_state(account: Account) -> None:
    outcome = account.sync(streams=["events", "export_bundles"])
    assert outcome.status() == outcome.status("export_bundles") == "COMPLETE"
    assert outcome.states() == []


def test_bundles_are_read_by_their_end_whatever_their_ids(account: Account) -> None:
    account.sim.settings.order = "shuffled"
    for number, id_ in enumerate([500, 3, 77, 1]):
        day = JAN_1 + number * 24 * HOUR
        account.sim.add_bundle(day, day + 24 * HOUR, 5, id=id_)
    outcome = account.sync()
    assert [state["bundle_id"] for state in outcome.states()][:4] == [500, 3, 77, 1]
    times = [record["EventStart"][:10] for record in outcome.records()]
    assert times == sorted(times)


def test_bundles_that_end_before_the_start_date_are_not_downloaded(account: Account) -> None:
    account.sim.add_period("2024-01-01", "2024-01-04")
    account.sync(start_date="2024-01-03")
    assert [bundle.downloads for bundle in account.sim.bundles] == [0, 0, 1]


def test_the_list_is_asked_again_when_it_fails(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 3)
    for kind in ("500", "502", "reset", "html"):
        account.sim.fault(Fault("/list", kind))
    assert len(account.sync().records()) == 3
