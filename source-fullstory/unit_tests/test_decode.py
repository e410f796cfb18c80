"""From bytes to rows: exact, complete, in any layout, however the bytes come in pieces."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from simulator import OPTIONAL_TRICKS, TRICKS, showcase
from simulator.encoding import document, lines
from simulator.rows import encode
from source_fullstory.rows import decode
from source_fullstory.rows.decode import batches
from source_fullstory.rows.unpack import BadBundle, examined, unpacked
from unit_tests.syncs import storable

ROWS = showcase(1_704_067_200, 1_704_153_600, tricks=TRICKS | OPTIONAL_TRICKS, each=20)
READ = storable(ROWS)
STYLES = ["lines", "single", "pretty", "spaced", "crlf"]
ZIPPED = gzip.compress(b"[]", mtime=0)  # without the time, for it is part of the names of tests


def rows_of(text: bytes, piece: int = 1 << 18) -> list[dict[str, Any]]:
    pieces = (text[at : at + piece] for at in range(0, len(text), piece))
    return [row for batch in batches(unpacked(pieces)) for row in batch]


def array(*rows: bytes) -> bytes:
    return b"[" + b",\n".join(rows) + b"]\n"


@pytest.fixture(params=[200, 5_000, 1 << 18])
def batch_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(decode, "_BATCH", request.param)
    return int(request.param)


@pytest.mark.parametrize("style", STYLES)
def test_every_layout_gives_the_same_rows(style: Any, batch_size: int) -> None:
    text = b"".join(document(map(encode, ROWS), style))
    assert rows_of(text) == READ
    assert [[type(value) for value in row.values()] for row in rows_of(text)] == [
        [type(value) for value in row.values()] for row in READ
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_it_does_not_matter_where_the_pieces_end(style: Any, piece: int) -> None:
    text = gzip.compress(b"".join(document(map(encode, ROWS[:60]), style)))
    assert rows_of(text, piece) == READ[:60]


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 18])
def test_lines_give_the_same_rows_wherever_the_pieces_end(piece: int, ended: bool, batch_size: int) -> None:
    text = b"".join(lines(map(encode, ROWS[:60]), ended=ended))
    assert rows_of(text, piece) == READ[:60]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n", b" \n \n"])
def test_pieces_that_end_where_lines_do_lose_no_row(count: int, between: bytes, batch_size: int) -> None:
    row = b'{"a":"%b"}' % (b"x" * (batch_size - 10))
    pieces = [(row + between) * count, row + between, b"", between, row, between]
    assert sum(map(len, batches(pieces))) == count + 2


@pytest.mark.parametrize("line", [b'{"a":1', b'"b":2}', b"[]", b"5", b'{"a":1} {"b":2}', b'{"a":NaN}'])
def test_a_line_that_is_no_row_is_never_read_as_one(line: bytes) -> None:
    with pytest.raises(BadBundle):
        rows_of(b'{"a":1}\n' + line + b"\n" + b'"b":2}\n')


@pytest.mark.parametrize(
    "number",
    [2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**40 + 1],
)
@pytest.mark.parametrize("place", ['{"n":%d}', '{"n":[1.5,%d]}', '{"n":{"deep":[{"er":%d}]}}'])
def test_integers_are_exact_at_any_length(number: int, place: str) -> None:
    text = place % number
    (_, row) = rows_of(array(b"{}", text.encode()))
    assert row == json.loads(text)
    assert str(number) in json.dumps(row)


def test_floats_stay_floats() -> None:
    (row,) = rows_of(b'[{"a":4.0,"b":1e-7,"c":1e300,"d":0.1,"e":-0.0}]')
    assert json.dumps(row) == '{"a": 4.0, "b": 1e-07, "c": 1e+300, "d": 0.1, "e": -0.0}'


def test_half_a_surrogate_pair_costs_one_character_and_no_row() -> None:
    """Text cut in the middle of an emoji: many parsers refuse such a line, and would lose the row."""
    rows = rows_of(array(rb'{"a":"cut \ud83d"}', rb'{"a":"\ud83d\ude00"}', rb'{"a":"\ude00"}'))
    assert rows == [{"a": "cut \ufffd"}, {"a": "\U0001f600"}, {"a": "\ufffd"}]


def test_of_a_repeated_name_the_last_one_counts() -> None:
    assert rows_of(b'[{"a":1,"a":2}]') == [{"a": 2}]


def test_rows_in_rows_do_not_confuse_the_framing(batch_size: int) -> None:
    inner = [{"x": [{"y": number}, {"y": [{}, {}]}]} for number in range(100)]
    text = json.dumps(inner).replace("}, {", "},\n{").encode()
    assert rows_of(text) == inner


def test_text_that_looks_like_the_framing_does_not_confuse_it(batch_size: int) -> None:
    rows = [{"a": '},{"b":"', "n": number} for number in range(200)]
    assert rows_of(json.dumps(rows, separators=(",", ":")).encode()) == rows


def test_a_row_may_be_larger_than_any_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_BATCH", 1000)
    rows = [{"a": "x" * 100_000, "n": number} for number in range(5)]
    assert rows_of(array(*(encode(row) for row in rows)), 100) == rows


def test_an_empty_array_has_no_rows() -> None:
    for text in (b"[]", b" [ \n] \n", gzip.compress(b"[]")):
        assert rows_of(text) == []
        assert examined(unpacked([text])).json_bytes > 0


def test_empty_rows_are_rows() -> None:
    assert rows_of(b"[{},\n{}]") == [{}, {}]


@pytest.mark.parametrize(
    "text",
    [
        b'[{"a":1},{"a":2}',
        b'[{"a":1},\n{"a":]',
        b'[{"a":1}]\n[{"a":2}]',
        b'[{"a":1}] x ]',
        b'[{"a":1} {"a":2}]',
        b'[{"a":1},,{"a":2}]',
        b'[{"a":1},]',
        b"[,]",
        b"[1]",
        b"[null]",
        b'[{"a":1},\n[]]',
        b'["text"]',
        b'[{"a":NaN}]',
        b'[{"a":Infinity}]',
        b'[{"a":"\xff"}]',
        b'[{"a":"\xff"},\n{"a":1},\n{"a":2}]',
    ],
)
def test_what_is_no_array_of_objects_is_never_read_as_one(text: bytes, batch_size: int) -> None:
    with pytest.raises(BadBundle):
        rows_of(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"code":"x"}', "is not a list of events but an object"),
        (b"<html>", "not a list of events but HTML"),
        (b'[{"a":1},', "breaks off after 9 bytes"),
        (b"[", "breaks off"),
        (ZIPPED[:-1], "end of its gzip stream"),
        (ZIPPED[:-8], "end of its gzip stream"),
        (ZIPPED + b"\x00", "gzip stream"),
        (ZIPPED + b"<html>", "is damaged"),
        (gzip.compress(ZIPPED[:-1], mtime=0), "end of its gzip stream"),
    ],
)
def test_what_is_not_whole_is_recognized_before_a_row_is_read(text: bytes, problem: str) -> None:
    with pytest.raises(BadBundle, match=problem):
        examined(unpacked([text]))


def test_gzip_is_unpacked_as_often_as_it_was_packed_in_any_number_of_members() -> None:
    members = gzip.compress(b'[{"a"') + gzip.compress(b"") + gzip.compress(b":1}]")
    assert rows_of(members, 3) == [{"a": 1}]
    assert rows_of(gzip.compress(gzip.compress(members)), 3) == [{"a": 1}]


def test_little_is_held_at_once() -> None:
    """A gigabyte of JSON from a few kilobytes on the wire: its pieces stay small."""

    def text() -> Iterator[bytes]:
        yield gzip.compress(b"[" + b'{"a":1},\n' * 3_000_000 + b"{}]")

    assert max(map(len, unpacked(text()))) <= 256 * 1024
    assert max(map(len, batches(unpacked(text())))) * 9 <= 2 * 256 * 1024
