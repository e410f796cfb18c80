"""What FullStory does wrong on demand; simkit/faults.py has what any server can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simkit import faults
from simkit.reply import Reply

from .errors import TEXTS

# Said instead of the answer.
ANSWERS = frozenset({"html", "error_object"})
# Done to the content of a file before it is sent; in an answer of JSON, all but the first are garbage at its end.
DAMAGES = frozenset({"missing_bracket", "json_garbage", "crc", "deflate_boundary", "garbage"})
HTML = "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status} {text}</h1></body></html>\n"


@dataclass(eq=False)
class Fault(faults.Fault):
    """What `kind` can be besides a status and what simkit has:

    html, error_object   status 200 with a web page, or with `{"code": …}` where an array belongs
    missing_bracket, json_garbage   the array (or the last line, or the object) is not closed, or followed by something
    crc, deflate_boundary, garbage   a wrong checksum; a gzip stream that ends between two deflate blocks, in the
                         middle of the rows; bytes after the end of the gzip stream
    """

    KINDS: ClassVar = ANSWERS | DAMAGES

    @property
    def answers(self) -> bool:
        return super().answers or self.kind in ANSWERS


def failure(fault: faults.Fault) -> Reply:
    """What a fault says in place of the answer."""
    if fault.kind == "error_object":
        return Reply.json({"code": "internal_error", "message": "the export could not be completed"})
    status = fault.status or 200
    reply = Reply.said(fault, HTML.format(status=status, text=TEXTS.get(status, "OK")))
    reply.status = status
    return reply


def damaged(reply: Reply, fault: faults.Fault) -> Reply:
    """An answer of JSON that is not, any more."""
    if fault.kind in DAMAGES and isinstance(reply.body, bytes):
        reply.body = reply.body[:-1] if fault.kind == "missing_bracket" else reply.body + b"}"
    return reply
