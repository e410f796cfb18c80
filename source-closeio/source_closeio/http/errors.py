"""What a failure means to the person who runs the sync. By what happens next:

    Retry       time may mend it: the request is sent again (api.py), in the end it becomes a transient error
    Refused     400 and other 4xx: the request does not suit the server; a walk may know another way
    Missing     404
    NotOffered  402, 403: the plan or the role does not give this: the stream is skipped, with a warning
    AirbyteTracedException   config error (the user can mend it), transient error, system error

Close documents no shape for error bodies; `explain` reads those that were seen.
"""

from __future__ import annotations

from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.kit import reader

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504}) | frozenset(range(520, 531))
_LONGEST_QUOTE = 300


class CloseError(Exception):
    """An answer that is no success; `text` quotes what Close said."""

    def __init__(self, status: int, endpoint: str, text: str) -> None:
        self.status = status
        self.endpoint = endpoint
        self.text = text
        super().__init__(f"{endpoint} answered {status}: {text}")


class Refused(CloseError):
    """Close does not take this request (400 and other 4xx)."""


class Missing(CloseError):
    """404: no such endpoint, or a document that was deleted while the list was read."""


class NotOffered(CloseError, reader.NotOffered):
    """402 or 403: the plan or the key's role does not offer this."""

    def __str__(self) -> str:
        return (
            f"Close does not offer this to the API key ({super().__str__()}). If it should, ask an administrator "
            "of the Close organization about the plan and the role of the key's user."
        )


def for_status(status: int, endpoint: str, body: Any) -> Exception:
    """The error that a final (not to be retried) answer is."""
    text = explain(body)
    if status == 401:
        return wrong_key(endpoint)
    if status in (402, 403):
        return NotOffered(status, endpoint, text)
    if status == 404:
        return Missing(status, endpoint, text)
    return Refused(status, endpoint, text)


def wrong_key(endpoint: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message="Close does not accept this API key. Make a new one in Close under Settings > Developer > "
        "API Keys, and put it into the API key field of this source.",
        internal_message=f"{endpoint} answered 401",
        failure_type=FailureType.config_error,
    )


def explain(body: Any) -> str:
    """What an error body says, cut to a few hundred characters."""
    if isinstance(body, dict):
        parts = [body.get("error"), body.get("message"), *_values(body.get("errors"))]
        parts += [f"{name}: {value}" for name, value in _items(body.get("field-errors"))]
        body = "; ".join(str(part) for part in parts if part)
    return " ".join(str(body or "no explanation").split())[:_LONGEST_QUOTE]


def _values(errors: Any) -> list[Any]:
    return errors if isinstance(errors, list) else [errors]


def _items(errors: Any) -> list[tuple[Any, Any]]:
    return list(errors.items()) if isinstance(errors, dict) else []


def as_traced(error: Exception, stream: str) -> AirbyteTracedException:
    """The error trace for a stream that failed: names the stream, the endpoint and the remedy."""
    if isinstance(error, AirbyteTracedException):
        return error
    if isinstance(error, NotOffered):
        message = f"Stream {stream} broke off. {error}"
        return _traced(message, error, FailureType.config_error)
    if isinstance(error, CloseError):
        message = (
            f"Close did not take a request for stream {stream} ({error}). What was read before is kept. "
            "Run the sync again; if it fails at the same place, report it with this message."
        )
        return _traced(message, error, FailureType.system_error)
    message = (
        f"Stream {stream} failed by a defect of this connector: {type(error).__name__}: {error}. Please report it."
    )
    return _traced(message, error, FailureType.system_error)


def as_sentence(error: Exception) -> str:
    """The error for a person who fills in the form."""
    if isinstance(error, AirbyteTracedException) and error.failure_type is FailureType.transient_error:
        return (
            f"Close does not answer ({error.internal_message}). Check that this machine can reach that address, that "
            "no proxy or firewall is in the way, and at https://status.close.com whether Close itself is in trouble."
        )
    if isinstance(error, AirbyteTracedException):
        return error.message or str(error)
    if isinstance(error, Missing):
        return f"There is no Close API at this address ({error}). Leave the API address out for Close's own."
    return str(error)


def _traced(message: str, error: Exception, failure_type: FailureType) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=message, internal_message=str(error), failure_type=failure_type, exception=error
    )
