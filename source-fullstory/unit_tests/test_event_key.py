"""event_key: one event, one key, whatever else changes; no key twice."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from simulator import FullStorySimulator, Settings, showcase
from source_fullstory.rows import event_key
from source_fullstory.rows.event_key import instant, keyed
from source_fullstory.rows.variables import Variables
from unit_tests.syncs import Account, Outcome, as_sent

Row = dict[str, Any]
ROW: Row = {
    "UserId": 2**62,
    "SessionId": None,
    "PageId": 3,
    "EventStart": "2024-01-01T10:00:00.123Z",
    "EventType": "custom",
    "EventCustomName": "Order",
    "evt_total_real": 4,
    "evt_items_strs": ["a"],
}


def keys_of(rows: list[Row], batch: int = 50) -> list[str]:
    def read() -> Iterator[list[Row]]:
        for at in range(0, len(rows), batch):
            yield Variables("events", ()).gather([dict(row) for row in rows[at : at + batch]])

    return [key for page in keyed(read, 10_000) for _, _, key in page]


def key_of(**changes: Any) -> str:
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}
    (key,) = keys_of([row])
    return key


SETTLED: list[Row] = [
    {"PageDuration": 5, "PageActiveDuration": 4, "UserEmail": "a@example.com", "IndvId": 9},
    {"PageAgent": "x", "EventTargetSelectorTok": "y", "PageUserAgent": "z"},
    {"EventSubType": "navigate", "UserCreated": "2020-01-01T00:00:00Z"},
    {"PageSettledScore": 7, "user_plan_str": "pro", "page_name_str": "x"},
    {"evt_total_real": 4.0},
    {"evt_new_str": None},
    {"EventStart": "2024-01-01T10:00:00.123000Z"},
    {"EventStart": "2024-01-01T12:00:00.123+02:00"},
    {"EventStart": "2024-01-01T10:00:00.123000400Z"},
    {"SessionId": ...},
    {"EventTargetText": "\ud83d"},
]


@pytest.mark.parametrize("change", SETTLED, ids=str)
def test_what_settles_is_renamed_or_added_leaves_the_key_alone(change: Row) -> None:
    assert key_of(**change) == key_of()


@pytest.mark.parametrize(
    "change",
    [
        {"UserId": 2**62 + 1},
        {"SessionId": 0},
        {"PageId": 4},
        {"EventStart": "2024-01-01T10:00:00.124Z"},
        {"EventStart": "2024-01-01T10:00:00.123001Z"},
        {"EventStart": "no time"},
        {"EventStart": ...},
        {"EventType": "click"},
        {"EventCustomName": ...},
        {"EventCustomName": ""},
        {"evt_total_real": 4.5},
        {"evt_total_real": "4"},
        {"evt_total_real": True},
        {"evt_items_strs": []},
        {"evt_other": ""},
        {"evt_other": 2**64},
        {"evt_other": 2**64 + 1},
        {"evt_other": "\ud83d"},
    ],
    ids=str,
)
def test_what_makes_another_event_makes_another_key(change: Row) -> None:
    assert key_of(**change) != key_of()


def test_the_order_of_fields_does_not_matter() -> None:
    assert keys_of([dict(reversed(ROW.items()))]) == keys_of([ROW])


def test_keys_are_stable_between_versions_of_this_connector() -> None:
    assert key_of() == "df0dcafbae77cc213e1222a8001783a1-0"


def test_equal_rows_are_numbered() -> None:
    keys = keys_of([ROW, ROW, {**ROW, "PageId": 9}, ROW])
    assert [key[-2:] for key in keys] == ["-0", "-1", "-0", "-2"]
    assert len({key[:-2] for key in keys}) == 2


def shuffled(rows: list[Row], seed: int) -> list[Row]:
    return random.Random(seed).sample(rows, len(rows))


@pytest.mark.parametrize("batch", [7, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_the_set_of_keys_does_not_depend_on_the_order_of_rows(seed: int, batch: int) -> None:
    rows = sorted(showcase(1_704_067_200, 1_704_153_600), key=lambda row: instant(row["EventStart"])) * 2
    in_order = sorted(rows, key=lambda row: instant(row["EventStart"]))
    keys = keys_of(in_order, batch)
    assert len(set(keys)) == len(keys) == len(rows)
    assert sorted(keys_of(shuffled(rows, seed), batch)) == sorted(keys)


def test_rows_out_of_order_late_in_the_file_are_still_counted_with_those_before() -> None:
    rows = [{**ROW, "EventStart": f"2024-01-01T10:00:{second:02}.000Z"} for second in range(60)]
    keys = keys_of([*rows, rows[3], *rows[10:]], batch=10)
    assert len(keys) == len(set(keys)) == 111
    assert keys[:60] == keys_of(rows)
    assert keys[60] == keys[3].replace("-0", "-1")


def test_many_rows_of_one_instant_are_counted_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_key, "_MOST_AT_ONE_TIME", 20)
    rows = [{**ROW, "PageId": number % 40} for number in range(100)]
    keys = keys_of(rows)
    assert len(set(keys)) == 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01T10:00:00.123Z", "2024-01-01T10:00:00.123000"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00.000000"),
        ("2024-01-01T10:00:00.123456789Z", "2024-01-01T10:00:00.123456"),
        ("2024-01-01T01:30:00.5+05:30", "2023-12-31T20:00:00.500000"),
        ("2024-01-01T10:00:00", "2024-01-01T10:00:00.000000"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000"),
        ("0001-01-01T00:00:00+05:00", ""),
        ("soon", ""),
        ("", ""),
        (None, ""),
        (1704103200, ""),
    ],
)
def test_instants_compare_as_text(text: Any, expected: str) -> None:
    assert instant(text) == expected


# Through syncs.


def keys(outcome: Outcome) -> dict[str, Row]:
    return {record["event_key"]: as_sent(record) for record in outcome.records()}


@pytest.mark.parametrize("changes", [{"order"}, {"settled"}, {"column"}, {"numbers"}, {"order", "settled", "numbers"}])
def test_a_bundle_downloaded_again_has_the_same_keys(account: Account, changes: set[str]) -> None:
    account.sim.settings.change(regenerate=changes, generation="mixed")
    account.sim.add_period("2024-01-01", "2024-01-03")
    first, second = keys(account.sync()), keys(account.sync())
    assert first.keys() == second.keys()
    assert json.dumps(first) != json.dumps(second)
    assert len(first) == 960


def test_another_bundle_period_gives_the_same_keys(account: Account) -> None:
    account.sim.add_period("2024-01-01", "2024-01-03")
    first = keys(account.sync())
    for bundle in account.sim.bundles:
        account.sim.remove_bundle(bundle.id)
    account.sim.add_period("2024-01-01", "2024-01-03", hours=1)
    assert keys(account.sync()) == first


def test_the_older_names_give_the_same_keys(account: Account) -> None:
    found = []
    for generation in ("legacy", "new"):
        with FullStorySimulator(Settings(downloads_per_minute=0)) as sim:
            sim.settings.generation = generation
            sim.add_bundle("2024-01-01", "2024-01-02")
            config = {**account.config, "api_url": sim.url, "export_url": sim.url}
            found.append(set(keys(Account(sim, config).sync())))
    assert found[0] == found[1]
    assert len(found[0]) == 480
