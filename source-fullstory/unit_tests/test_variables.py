"""Custom variables and unknown fields: what is remembered and told of them is bounded."""

import logging
import random
import tracemalloc
from typing import Any

import pytest
from source_fullstory.rows import variables
from source_fullstory.rows.variables import Variables
from unit_tests.syncs import Account


def test_variables_move_into_objects_and_the_rest_stays() -> None:
    (row,) = Variables("events", ["PageId"]).gather([{"PageId": 1, "evt_a_str": None, "user_b_int": 2, "page_c": [3]}])
    assert row == {
        "PageId": 1,
        "evt_vars": {"evt_a_str": None},
        "user_vars": {"user_b_int": 2},
        "page_vars": {"page_c": [3]},
    }


def test_what_is_remembered_of_layouts_is_bounded_by_size() -> None:
    """Each row has 150 of 3,000 variables, so no layout comes twice."""
    rng = random.Random(1)
    names = [f"evt_{number:04}_{'x' * 90}_str" for number in range(3000)]
    gatherer = Variables("events", ())
    tracemalloc.start()
    try:
        for _ in range(2000):
            # As from JSON: each row has texts of its own.
            gatherer.gather([{"".join(list(name)): 1 for name in rng.sample(names, 150)}])
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 2 * variables._MOST_BYTES


def test_a_layout_that_is_huge_by_itself_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "_MOST_BYTES", 1000)
    gatherer = Variables("events", ())
    gatherer.gather([{"evt_a": 1}, {f"evt_{number}": 1 for number in range(50)}])
    assert not gatherer._layouts


def test_the_first_fifty_unknown_fields_are_named_and_the_others_counted(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[dict[str, Any]] = [
        {"EventStart": "2024-01-01T05:00:00Z", **{f"New{number:06}": 1 for number in range(at, at + 1000)}}
        for at in range(0, 100_000, 1000)
    ]
    account.sim.add_bundle("2024-01-01", "2024-01-02", rows)
    with caplog.at_level(logging.WARNING):
        outcome = account.sync()
    assert len(outcome.records()) == 100
    told = [record.message for record in caplog.records if "does not know" in record.message]
    assert len(told) == 51
    assert "99,950 other fields" in told[-1]
