"""Temporary space: the download in turn goes first, those ahead wait for room; and what is said where there is none."""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from source_fullstory.files import space
from source_fullstory.files.space import NoRoom, Share, Space, reserve
from source_fullstory.kit import transport
from unit_tests.syncs import Account, assert_rows, run_here

MB = 1024 * 1024


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def held(shares: Any) -> int:
    return sum(os.fstat(share.file.fileno()).st_size for share in shares if share.file and not share.file.closed)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """A disk of so many bytes; returns what was used at each look."""

    def of(total: int) -> list[int]:
        looks: list[int] = []
        for left in list(space.SPACE._shares):  # by earlier tests of this process
            left.close()

        def usage(_: str) -> Usage:
            looks.append(held(space.SPACE._shares))
            return Usage(total, looks[-1], total - looks[-1])

        monkeypatch.setattr(shutil, "disk_usage", usage)
        monkeypatch.setattr(space, "_SMALL", 1000)
        return looks

    return of


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("room", [1.2, 2.7, 20])
def test_what_is_ahead_waits_for_room(
    account: Account, disk: Callable[[int], list[int]], framing: str, room: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("source_fullstory.files.download._STEP", 4000)
    account.sim.settings.change(framing=framing, encoding="plain")
    account.sim.add_period("2024-01-01", "2024-01-07", events=100)
    size = 120_000
    looks = disk(int(size * room))
    outcome = account.sync(num_workers=4)
    assert outcome.status() == "COMPLETE"
    assert_rows(outcome.records(), account.sim.truth())
    assert max(looks) <= size * room


def test_what_does_not_fit_by_itself_fails_and_says_how_much_is_left_to_others(
    account: Account, disk: Callable[[int], list[int]]
) -> None:
    account.sim.settings.change(framing="length", encoding="plain")
    account.sim.add_period("2024-01-01", "2024-01-04", events=100)
    disk(40_000)
    outcome = account.sync()
    assert outcome.records() == []
    (error, _) = outcome.errors()
    assert error["failure_type"] == "config_error"
    assert "There is no room for bundle 170406720048" in error["message"]
    assert "left to other programs" in error["message"]


def test_the_reserve_scales_with_the_disk_and_refuses_no_kilobytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [reserve(total) for total in (20 * MB, 150 * MB, 10**12)] == [MB, int(7.5 * MB), 64 * MB]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * MB, 10 * MB - 4000, 4000))
    small = Space().share(ahead=False)
    small.expect("a file", 3000)


def written(share: Share, size: int) -> Share:
    share.open("a file")
    share.write("a file", b"x" * size)
    return share


def test_the_one_in_turn_takes_what_the_last_ahead_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Space()
    ahead = [written(shared.share(ahead=True), 30 * MB) for _ in range(3)]
    first = shared.share(ahead=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(110 * MB, 0, 110 * MB - held([*ahead, first])))
    first.expect("a file", 40 * MB)
    assert [share.put_off for share in ahead] == [False, False, True]
    assert held(ahead) == 60 * MB
    with pytest.raises(NoRoom):
        ahead[2].write("a file", b"x")
    assert shared.take(ahead[1])
    assert not shared.take(ahead[2])
    for share in ahead:
        share.close()


def test_what_is_announced_and_not_begun_gives_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Space()
    ahead, first = shared.share(ahead=True), shared.share(ahead=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(110 * MB, 0, 110 * MB))
    assert shared.make_room(ahead, 60 * MB) == 0
    first.expect("a file", 60 * MB)
    assert ahead.put_off
    with pytest.raises(NoRoom):
        ahead.expect("a file", 10 * MB)
    assert ahead.coming == 0


def test_what_was_emptied_does_not_grow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Space()
    ahead, first = written(shared.share(ahead=True), 10), shared.share(ahead=False)
    assert shared.evict_for(first)
    with pytest.raises(NoRoom):
        ahead.write("a file", b"more")
    assert held([ahead]) == 0
    ahead.close()


def test_a_full_disk_makes_room_in_the_middle_of_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Space()
    ahead, first = written(shared.share(ahead=True), 10), shared.share(ahead=False)

    class Full:
        """Takes two bytes at a time, and none while another file is there."""

        data = b""

        def write(self, piece: memoryview) -> int:
            if not ahead.put_off and len(self.data) >= 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.data += piece[:2]
            return len(piece[:2])

        def close(self) -> None:
            pass

    first.file = file = Full()  # type: ignore[assignment]
    first.write("a file", b"abcdefgh")
    assert file.data == b"abcdefgh"
    ahead.close()


@pytest.mark.parametrize("stream", ["events", "individuals"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_no_file_can_be_made(account: Account, monkeypatch: pytest.MonkeyPatch, code: int, stream: str) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(code, "no")

    account.sim.add_bundle("2024-01-01", "2024-01-02", 10)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    outcome = account.sync(streams=[stream])
    (error, _) = outcome.errors()
    assert error["failure_type"] == "config_error"
    assert "TMPDIR" in error["message"]
    assert os.strerror(code) in error["message"]


def test_there_is_no_temporary_folder(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 10)

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    with monkeypatch.context() as patch:
        arguments = account.arguments(tmp_path)
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(tempfile, "_get_default_tempdir", none)
        patch.setenv("TMPDIR", "/nowhere")
        (error, _) = run_here(*arguments, timing=account.timing).errors()
    assert "in the temporary folder /nowhere (no folder can be written to)" in error["message"]
    assert error["failure_type"] == "config_error"


def test_a_full_disk_is_a_sentence(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 10)

    def full(share: Share, _: str) -> None:
        share.file = Path("/dev/full").open("r+b", 0)  # noqa: SIM115

    monkeypatch.setattr(space.Share, "open", full)
    monkeypatch.setattr("source_fullstory.files.download.pieces", lambda _: iter(()))
    (error, _) = account.sync().errors()
    assert "No space left on device" in error["message"]
    assert "TMPDIR" in error["message"]


@pytest.mark.parametrize("method", ["bundles", "segment_export"])
def test_without_threads_downloads_are_made_when_their_turn_comes(
    account: Account, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    start = threading.Thread.start

    def few(thread: threading.Thread) -> None:
        if thread.name.startswith("download"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    today = datetime.now(UTC).date()
    first, end = today - timedelta(days=5), today - timedelta(days=2)
    account.sim.add_period(f"{first}", f"{end}", events=10)
    outcome = account.sync(events_source={"method": method}, start_date=f"{first}T00:00:00Z")
    assert outcome.status() == "COMPLETE"
    assert len(outcome.records()) == 30


def test_no_thread_for_deadlines_is_a_sentence(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def few(thread: threading.Thread) -> None:
        if thread.name == "deadlines":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    monkeypatch.setattr(transport, "_watch", transport._Watch())
    outcome = account.sync()
    assert "limit of processes" in outcome.errors()[0]["message"]
    assert outcome.errors()[0]["failure_type"] == "config_error"
