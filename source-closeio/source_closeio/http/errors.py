"""What a failure means to the person who runs the sync. By what happens next:

    Retry       time may mend it: the request is sent again (kit/retry.py), in the end it becomes a transient error
    Refused     400 and other 4xx: the request does not suit the server; a walk may know another way
    Missing     404
    NotOffered  402, 403: the plan or the role does not give this
    AirbyteTracedException   config error (the user can mend it), transient error, system error

Close documents no shape for error bodies; `explain` reads those that were seen.
"""

from __future__ import annotations

from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.kit import contract
from source_closeio.kit.errors import ApiError, as_text, config_error, defect, quote, system_error, transient_error
from source_closeio.kit.retry import GivenUp
from source_closeio.kit.transport import TooLarge

_AGAIN = "Try again; if it goes on, report it with this message."


class CloseError(ApiError):
    """An answer of Close's that is no success."""


class Refused(CloseError):
    """Close does not take this request (400 and other 4xx)."""


class Missing(CloseError):
    """404: no such endpoint, or a document that was deleted while the list was read."""


class NotOffered(CloseError, contract.NotOffered):
    """402 or 403: the plan or the key's role does not offer this."""

    def __str__(self) -> str:
        return (
            f"Close does not offer this to the API key ({super().__str__()}). If it should, ask an administrator "
            "of the Close organization about the plan and the role of the key's user; if not, leave the stream out of "
            "the connection."
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
    return config_error(
        "Close does not accept this API key. Make a new one in Close under Settings > Developer > API Keys, and put "
        "it into the API key field of this source.",
        f"{endpoint} answered 401",
    )


def nobody(host: str) -> AirbyteTracedException:
    return config_error(
        f"{host} answers, but not as Close does: /me/ names no user. Leave the API address out for Close's own.",
        "/me/ without an id",
    )


def no_custom_fields(refusal: CloseError) -> AirbyteTracedException:
    return config_error(
        f"The custom fields cannot be read ({ApiError.__str__(refusal)}). Without them the schema would lack their "
        "columns, and destinations would drop these. Use the key of a user who may see custom fields; Close's "
        "administrators can say who does.",
        ApiError.__str__(refusal),
    )


def redirected(endpoint: str, host: str | None) -> AirbyteTracedException:
    """Close's API redirects no request of ours: followed, whatever stands there would pass for Close's answer."""
    return config_error(
        f"Close's API answered {endpoint} with a redirect to {host or 'nowhere'}, which is not followed. Find out what "
        "stands between this machine and Close, a proxy or a login page perhaps.",
        f"{endpoint} redirected",
    )


def deleted_document(error: CloseError) -> bool:
    """404 `Empty query: Document has been deleted.` on a list: seen in the wild, documented nowhere. It passes."""
    return isinstance(error, Missing) and "deleted" in error.text.lower()


def explain(body: Any) -> str:
    """What an error body says, masked, and cut to a few hundred characters."""
    if isinstance(body, dict):
        parts = [body.get("error"), body.get("message"), *_values(body.get("errors"))]
        parts += [f"{name}: {as_text(value)}" for name, value in _items(body.get("field-errors"))]
        body = "; ".join(filter(None, map(as_text, parts)))
    return quote(body)


def _values(errors: Any) -> list[Any]:
    return errors if isinstance(errors, list) else [errors]


def _items(errors: Any) -> list[tuple[Any, Any]]:
    return list(errors.items()) if isinstance(errors, dict) else []


def given_up(stream: str, endpoint: str, host: str, failure: GivenUp) -> AirbyteTracedException:
    return transient_error(
        f"Close could not be read for stream {stream}: {endpoint} at {host} {failure}. What was read before is kept: "
        "run the sync again. If this goes on, look at https://status.close.com, and check that this machine can reach "
        "that address.",
        f"{endpoint} at {host} {failure.problem}",
    )


def unusable_list(path: str, what: str) -> AirbyteTracedException:
    return system_error(
        f"The list /{path} of Close answered {what}, so it cannot be read without losing rows. What was read before is "
        "kept. Please report this: Close seems to have changed its API.",
        f"/{path}: {what}",
    )


def unusable_search(object_type: str, what: str) -> AirbyteTracedException:
    return system_error(
        f"Searching for {object_type} objects, Close answered {what}, so they cannot be read without losing some. What "
        "was read before is kept. Please report this.",
        f"/data/search/ {object_type}: {what}",
    )


def as_traced(error: BaseException, stream: str) -> AirbyteTracedException:
    """The error trace for a stream that failed: names the stream, the endpoint and the remedy."""
    if isinstance(error, AirbyteTracedException):
        return error
    if isinstance(error, NotOffered):
        return config_error(f"Stream {stream} cannot be read. {error}", ApiError.__str__(error))
    if isinstance(error, CloseError):
        return system_error(
            f"Close did not take a request for stream {stream} ({error}). What was read before is kept. "
            "Run the sync again; if it fails at the same place, report it with this message.",
            str(error),
        )
    if isinstance(error, TooLarge):
        return system_error(f"Close {error} for stream {stream}, to a request for a single row.", str(error))
    return defect(f"Stream {stream}", error)


def as_sentence(error: Exception) -> AirbyteTracedException:
    """The error for a person who fills in the form."""
    if isinstance(error, Missing):
        return config_error(
            f"There is no Close API at this address ({error}). Leave the API address out for Close's own."
        )
    if isinstance(error, NotOffered):
        return config_error(str(error))
    if not isinstance(error, AirbyteTracedException):
        return system_error(f"Close did not take a request of this check: {error}. {_AGAIN}", str(error))
    if error.failure_type is not FailureType.transient_error:
        return error
    return transient_error(
        f"Close does not answer ({error.internal_message}). Check that this machine can reach that address, that no "
        "proxy or firewall is in the way, and at https://status.close.com whether Close itself is in trouble.",
        str(error.internal_message),
    )
