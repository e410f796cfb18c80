r"""What makes FullStory's rows hard to read, one function per trick; `settings.TRICKS` says what each is.

"identical", "same_time", "fine_times", "zones" and "big_ids" concern more than one field or row and live in `world`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from .rows import Row

TRAPS = (
    'looks like the end of a row"},\n{"EventType":"fake',
    '"},\r\n{"',
    "},\n{",
    "]",
    "\n]\n",
    "ends in a backslash \\",
    'quote \\" and slash \\/',
    "line \u2028 paragraph \u2029 next line \x85 form feed \x0c group \x1d",
    "NUL \x00 escape \x1b",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467 flag \U0001f1e9\U0001f1ea",
    "combining e\u0301, right-to-left \u202eabc",
)
UNKNOWN: tuple[tuple[str, object], ...] = (
    ("PageVitalsScore", 0.93),
    ("EventLabels", ["a", None, 3]),
    ("PageContext", {"theme": "dark", "flags": {"beta": True}}),
    ("eventNotes", "lower case"),
)


def _null_session(_: Random, row: Row) -> None:
    row["SessionId"] = None


def _nulls(rng: Random, row: Row) -> None:
    for name in ("EventTargetText", "PageRefererUrl", "UserEmail", "evt_note_str"):
        how = rng.choice(("null", "empty", "absent"))
        row.pop(name, None)
        if how != "absent":
            row[name] = None if how == "null" else ""


def _type_changes(rng: Random, row: Row) -> None:
    row["evt_mixed_str"] = rng.choice(("4", 4, 4.5, True, ["4"], {"four": 4}))
    row[rng.choice(("evt_userRecipes_int", "evt_userRecipes_str"))] = rng.choice((12, "12"))


def _big_variables(rng: Random, row: Row) -> None:
    row["evt_account_int"] = rng.choice((2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1))
    row["user_ledger_int"] = rng.choice((2**53 + 1, 2**62 + 1))


def _over_64_bits(rng: Random, row: Row) -> None:
    row["evt_galactic_int"] = rng.choice((2**64, 10**30 + 1, -(2**63) - 1))


def _surrogates(rng: Random, row: Row) -> None:
    row[rng.choice(("EventTargetText", "evt_comment_str"))] = rng.choice(("cut \ud83d", "\ude00 first", "a\udc00b"))


def _text_traps(rng: Random, row: Row) -> None:
    row["EventTargetText"] = rng.choice(TRAPS)
    row["evt_raw_str"] = rng.choice(TRAPS)


def _long_text(rng: Random, row: Row) -> None:
    row["EventTargetText"] = rng.choice(("long ", "läng ")) * 400


def _unknown_fields(rng: Random, row: Row) -> None:
    row.update([rng.choice(UNKNOWN)])


ROW_TRICKS: dict[str, Callable[[Random, Row], None]] = {
    "null_session": _null_session,
    "nulls": _nulls,
    "type_changes": _type_changes,
    "big_variables": _big_variables,
    "over_64_bits": _over_64_bits,
    "surrogates": _surrogates,
    "text_traps": _text_traps,
    "long_text": _long_text,
    "unknown_fields": _unknown_fields,
}
