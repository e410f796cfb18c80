"""Windows: contiguous, and a low-water mark that covers nothing unfinished."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from source_closeio.paging.windows import Frontier, Progress, Window

START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=100)


def spans(windows: list[Window]) -> list[tuple[datetime, datetime | None]]:
    return sorted(((each.start, each.end) for each in windows), key=lambda span: span[0])


def test_cutting_below_keeps_the_newest_part_and_leaves_no_gap() -> None:
    window = Window(START, None)
    frontier = Frontier(window)
    frontier.take()

    frontier.cut_below(window, END, 4)

    pieces = [window, *iter(frontier.take, None)]
    edges = spans(pieces)
    assert window.end is None
    assert edges[0][0] == START
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert len(pieces) == 4


def test_cutting_above_keeps_the_oldest_part_and_the_last_stays_open() -> None:
    window = Window(START, None)
    frontier = Frontier(window)
    frontier.take()

    frontier.cut_above(window, START + timedelta(days=1), END, 4)

    edges = spans([window, *iter(frontier.take, None)])
    assert edges[0] == (START, window.end)
    assert edges[-1][1] is None
    assert all(before[1] == after[0] for before, after in pairwise(edges))


def test_a_second_is_not_cut() -> None:
    window = Window(START, START + timedelta(seconds=1))
    frontier = Frontier(window)
    frontier.take()

    frontier.cut_below(window, START + timedelta(seconds=1), 4)

    assert not frontier.waiting()
    assert (window.start, window.end) == (START, START + timedelta(seconds=1))


def test_the_low_water_mark_never_passes_an_unfinished_window_nor_goes_back() -> None:
    chance = random.Random(7)
    frontier = Frontier(Window(START, END))
    running: list[Window] = []
    unfinished = [(START, END)]
    marks = [START]
    while (mark := frontier.low_water()) is not None:
        assert mark == min(span[0] for span in unfinished)
        assert mark >= marks[-1]
        marks.append(mark)
        taken = frontier.take()
        if taken:
            running.append(taken)
        window = chance.choice(running)
        if chance.random() < 0.4 and window.end and window.end - window.start > timedelta(seconds=10):
            cut = frontier.cut_below if chance.random() < 0.5 else None
            if cut:
                cut(window, window.end, chance.randint(2, 5))
            else:
                frontier.cut_above(window, window.start, window.end, chance.randint(2, 5))
        elif chance.random() < 0.7:
            frontier.close(window)
            running.remove(window)
        unfinished = [(each.start, each.end) for each in (*running, *frontier._waiting) if each.end]
    assert not running


def test_a_dense_window_is_shared_out_and_a_sparse_one_is_not() -> None:
    progress = Progress()
    progress.add(END, END - timedelta(hours=1), 100)

    assert progress.parts(timedelta(hours=10), rows_per_window=2000) == 1
    assert progress.parts(timedelta(days=100), rows_per_window=2000) > 1
