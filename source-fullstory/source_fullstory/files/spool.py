"""Complete downloads in temporary files, and their rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import IO

from source_fullstory.files.space import Share
from source_fullstory.http.api import Client
from source_fullstory.kit.contract import Page
from source_fullstory.rows.decode import batches
from source_fullstory.rows.lenient import Row
from source_fullstory.rows.unpack import BadBundle, Content, NotRows, pieces, unpacked

_PARSE_TRIES = 3

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class Spool:
    """A complete download."""

    share: Share
    wire_bytes: int
    content: Content

    @property
    def file(self) -> IO[bytes]:
        if self.share.file is None:
            raise RuntimeError("the file is closed")
        return self.share.file

    def batches(self) -> Iterator[list[Row]]:
        """Its rows, from the beginning. One reader at a time. Raises BadBundle."""
        return batches(unpacked(pieces(self.file)))

    def digest(self) -> bytes:
        """Tells whether two downloads are the same, byte for byte."""
        return digest(self.file)

    def close(self) -> None:
        self.share.close()


def digest(file: IO[bytes]) -> bytes:
    found = blake2b(digest_size=16)
    for piece in pieces(file):
        found.update(piece)
    return found.digest()


def parsed(
    client: Client, what: str, spool: Spool, read: Callable[[Spool], Iterator[Page]], again: Callable[[], Spool]
) -> Iterator[Page]:
    """The pages that `read` makes of the spool, which is closed then; what shows its damage only now is downloaded
    `again`. Without gzip or a length nothing proves the bytes. Rows that are out come again, under the same keys.

    Raises BadBundle when the damage stays, or the bytes do, and what `again` raises.
    """
    seen = b""
    for tries_left in reversed(range(_PARSE_TRIES)):
        try:
            yield from read(spool)
            return  # noqa: TRY300 - an `else` would stand below the `finally`, far from here
        except RecursionError:
            raise NotRows("holds a row that is nested too deeply") from None
        except BadBundle as error:
            before, seen = seen, spool.digest()
            if not tries_left or seen == before:
                raise
            logger.info(f"{client.stream}: {what} {error}; downloading it again")
        finally:
            spool.close()
        spool = again()
