"""What a failure means to the person who runs the sync, and how it is told without a secret or a byte of a record."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Sequence
from html import unescape
from typing import Any

from airbyte_cdk.models import AirbyteMessage, FailureType, StreamDescriptor
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .json_text import dump_line
from .secrets import masked

_LONGEST_QUOTE = 300
_WORTH_READING = 64 * 1024
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|\?xml|[a-z]+[ />])", re.IGNORECASE)


class ApiError(Exception):
    """An answer that is no success; `text` quotes what the API said, masked and short."""

    def __init__(self, status: int, endpoint: str, text: str) -> None:
        self.status = status
        self.endpoint = endpoint
        self.text = text
        super().__init__(f"{endpoint} answered {status}: {text}")


def quote(said: Any) -> str:
    """What an API said, for a message: without markup, on one line, masked and short."""
    text = as_text(said)
    if _MARKUP.match(text):
        title = _TITLE.search(text)
        text = f"a web page, {unescape(title.group(1)).strip()!r}" if title else "a web page"
    return shortened(text) or "no explanation"


def as_text(said: Any) -> str:
    """Text as it is, nothing as no text, and all else as JSON."""
    if isinstance(said, str):
        return said
    return dump_line(said).decode().strip() if said else ""


def shortened(text: str, most: int = _LONGEST_QUOTE) -> str:
    """What others wrote, on one line, masked and cut."""
    line = masked(" ".join(text[:_WORTH_READING].split()))
    return line if len(line) <= most else f"{line[:most]}..."


def config_error(message: str, internal: str | None = None) -> AirbyteTracedException:
    """What the user can mend; the message says how."""
    return _traced(message, internal or message, FailureType.config_error)


def transient_error(message: str, internal: str) -> AirbyteTracedException:
    """What time may mend: the platform tries the sync again."""
    return _traced(message, internal, FailureType.transient_error)


def system_error(message: str, internal: str) -> AirbyteTracedException:
    """What neither the user nor time can mend."""
    return _traced(message, internal, FailureType.system_error)


def defect(what: str, error: BaseException) -> AirbyteTracedException:
    """An error of `what` that nobody foresaw. Its text may quote a record, so only its type and place are told."""
    remedy = _machine_lacks(error)
    if remedy:
        return config_error(f"{what} failed: {remedy}", f"{type(error).__name__} at {_place(error)}")
    place = _place(error)
    return system_error(
        f"{what} failed by a defect of this connector: {type(error).__name__} at {place}. Please report it.",
        f"{type(error).__name__} at {place}",
    )


def _machine_lacks(error: BaseException) -> str | None:
    """What to do where the machine, and no defect, stopped the connector."""
    if isinstance(error, MemoryError):
        return "the memory does not suffice. Give the connector more, or set num_workers lower."
    if isinstance(error, RuntimeError) and "new thread" in str(error):
        return (
            "this machine lets the connector start no more threads. Raise its limit of processes (the container's "
            "pids limit, or ulimit -u), or set num_workers lower."
        )
    return _files_lack(error) if isinstance(error, OSError) else None


def _files_lack(error: OSError) -> str | None:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "this machine lets the connector open no more files. Raise the limit (ulimit -n)."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"there is no room for temporary files in {tempfile.gettempdir()}: its space, or its number of files, is "
            "used up. Make room, or name another folder in TMPDIR."
        )
    # tempfile says so when it can write to none of the folders that it tries.
    if error.errno == errno.EROFS or "temporary directory" in str(error):
        return (
            "there is no folder for temporary files. Mount one that is writable at /tmp (docker run --tmpfs /tmp), or "
            "name one in TMPDIR."
        )
    return None


def trace_message(error: AirbyteTracedException, stream: StreamDescriptor | None = None) -> AirbyteMessage:
    """The error as a message of the protocol, masked. It carries no stack trace: the text of an exception that stands
    in one may quote a record."""
    message = error.as_sanitized_airbyte_message(stream_descriptor=stream)
    if message.trace and message.trace.error:
        message.trace.error.stack_trace = None
    return message


def _traced(message: str, internal: str, failure_type: FailureType) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=filter_secrets(message), internal_message=filter_secrets(internal), failure_type=failure_type
    )


def _place(error: BaseException) -> str:
    """Module and line where the exception was raised."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else "an unknown place"


def names(found: Sequence[str], most: int = 50) -> str:
    """Some of many names, and how many more there are."""
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more:,} more" if more > 0 else "")
