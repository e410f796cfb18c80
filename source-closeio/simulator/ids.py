"""Ids as Close makes them: a prefix and 43 letters and digits, e.g. `acti_5Xq…`.

A number becomes an id by a reversible scramble, so that the id of any of a million rows is found, and looked up
again, without keeping a million strings.
"""

from __future__ import annotations

import hashlib
from typing import Final

LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PAIRS: Final = tuple(a + b for a in LETTERS for b in LETTERS)
VALUES: Final = {pair: number for number, pair in enumerate(PAIRS)}
HEAD: Final = 12
SPAN: Final = 62**HEAD
FACTOR: Final = 1_993_883_046_718_405_264_117
INVERSE: Final = pow(FACTOR, -1, SPAN)
LENGTH: Final = 43


class Ids:
    """The ids of one kind of object: `of(number)` and back with `number_of(id)`."""

    def __init__(self, prefix: str, seed: int) -> None:
        digest = hashlib.blake2b(f"{prefix}/{seed}".encode(), digest_size=64).digest()
        self.prefix = prefix + "_"
        self._offset = int.from_bytes(digest[:8], "big")
        self._tail = "".join(LETTERS[byte % 62] for byte in digest[8:])[: LENGTH - HEAD]

    def of(self, number: int) -> str:
        rest = (number * FACTOR + self._offset) % SPAN
        pairs = []
        for _ in range(HEAD // 2):
            rest, pair = divmod(rest, 3844)
            pairs.append(PAIRS[pair])
        return self.prefix + "".join(pairs) + self._tail

    def number_of(self, id_: str) -> int | None:
        """The number behind an id, or None for an id of another kind."""
        start = len(self.prefix)
        if len(id_) != start + LENGTH or not id_.startswith(self.prefix) or not id_.endswith(self._tail):
            return None
        rest = 0
        for at in range(start + HEAD - 2, start - 2, -2):
            pair = VALUES.get(id_[at : at + 2])
            if pair is None:
                return None
            rest = rest * 3844 + pair
        return (rest - self._offset) * INVERSE % SPAN
