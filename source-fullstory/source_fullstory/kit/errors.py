"""What a failure means to the person who runs the sync, and how it is told without a secret or a byte of a record."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from html import unescape
from typing import Any

from airbyte_cdk.models import AirbyteMessage, FailureType, StreamDescriptor
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets, filter_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

_LONGEST_QUOTE = 300
_SHORTEST_SECRET = 8
"""A shorter one would blank ordinary words."""
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|\?xml|[a-z]+[ />])", re.IGNORECASE)


class ApiError(Exception):
    """An answer that is no success; `text` quotes what the API said, masked and short."""

    def __init__(self, status: int, endpoint: str, text: str) -> None:
        self.status = status
        self.endpoint = endpoint
        self.text = text
        super().__init__(f"{endpoint} answered {status}: {text}")


def conceal(*secrets: str) -> None:
    """Keep these out of all messages, as they are and in base64, in which Basic authentication sends them."""
    for secret in secrets:
        token = b64encode(secret.encode())
        stem = b64encode(secret.encode()[: len(secret.encode()) // 3 * 3])  # the same whatever follows the secret
        for form in (secret, secret.strip(), token.decode(), token.decode().rstrip("="), stem.decode()):
            if len(form) >= _SHORTEST_SECRET:
                add_to_secrets(form)


def quote(text: Any) -> str:
    """What an API said, for a message: without markup, on one line, masked and only then cut, because half a secret
    is no longer found."""
    said = str(text or "")
    if _MARKUP.match(said):
        title = _TITLE.search(said)
        said = f"a web page, {unescape(title.group(1)).strip()!r}" if title else "a web page"
    return " ".join(filter_secrets(said).split())[:_LONGEST_QUOTE] or "no explanation"


def config_error(message: str, internal: str | None = None) -> AirbyteTracedException:
    """What the user can mend; the message says how."""
    return _traced(message, internal or message, FailureType.config_error)


def transient_error(message: str, internal: str) -> AirbyteTracedException:
    """What time may mend: the platform tries the sync again."""
    return _traced(message, internal, FailureType.transient_error)


def system_error(message: str, internal: str) -> AirbyteTracedException:
    """What neither the user nor time can mend."""
    return _traced(message, internal, FailureType.system_error)


def no_thread() -> AirbyteTracedException:
    return config_error(
        "This machine lets the connector start no thread. Raise its limit of processes (the container's pids limit, "
        "or ulimit -u)."
    )


def defect(stream: str, error: BaseException) -> AirbyteTracedException:
    """An error that nobody foresaw. Its text may quote a record, so only its type and place are told."""
    place = _place(error)
    return _traced(
        f"Stream {stream} failed by a defect of this connector: {type(error).__name__} at {place}. Please report it.",
        f"{type(error).__name__} at {place}",
        FailureType.system_error,
    )


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
