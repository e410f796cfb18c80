"""What a failure means to the person who runs the sync. By what happens next:

    Retry       time may mend it: the request is sent again (kit/retry.py), in the end it becomes a transient error
    Missing     404, 410: no such thing (any more); for a bundle, the list is asked once more
    Denied      402, 403: the plan or the key's permission does not allow it
    Refused     400 and other 4xx: the request does not suit the server
    AirbyteTracedException   config error (the user can mend it), transient error, system error

FullStory documents error bodies as an object with `code` and `message`; anything else is quoted as it is.
"""

from __future__ import annotations

import math
from typing import Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.kit.contract import NotOffered
from source_fullstory.kit.errors import ApiError, as_text, config_error, defect, quote, system_error, transient_error
from source_fullstory.kit.retry import GivenUp
from source_fullstory.kit.transport import TooLarge

_AGAIN = "Try again; if it goes on, report it with this message."
_QUOTA_SECONDS = 3600
"""Limits by the second and by the minute never ask to wait for so long."""


class FullStoryError(ApiError):
    """An answer of FullStory's that is no success."""


class Refused(FullStoryError):
    """FullStory does not take this request (400 and other 4xx)."""


class Missing(FullStoryError):
    """404 or 410: no such endpoint, or no such bundle (any more)."""


class Denied(FullStoryError):
    """402 or 403: FullStory does not let this key, or this account, do that."""


def for_status(status: int, endpoint: str, body: Any) -> Exception:
    """The error that a final (not to be retried) answer is."""
    text = explain(body)
    if status == 401:
        return wrong_key(endpoint)
    if status in (402, 403):
        return Denied(status, endpoint, text)
    if status in (404, 410):
        return Missing(status, endpoint, text)
    return Refused(status, endpoint, text)


def wrong_key(endpoint: str) -> AirbyteTracedException:
    return config_error(
        "FullStory does not accept this API key. Make a new one in FullStory under Settings > Integrations > API Keys, "
        "with the permission Architect, and put it into the API key field of this source. If the key is good, and the "
        "account's data is in Europe, set the region to Europe.",
        f"{endpoint} answered 401",
    )


def nobody() -> AirbyteTracedException:
    return config_error("What answers at this address is not FullStory's API: it does not say whose key it is.")


def standard_key() -> AirbyteTracedException:
    return config_error(
        "This API key has the permission Standard, and FullStory gives events only to keys with the permission "
        "Architect or Admin. Make such a key in FullStory under Settings > Integrations > API Keys.",
        "role USER",
    )


def no_data_export(answer: str) -> AirbyteTracedException:
    return config_error(
        f"FullStory does not offer Data Export to this API key ({answer}). Two things are needed: the add-on Data "
        "Export (ask FullStory, or your account's administrator, whether the account has it), and a key with the "
        "permission Architect or Admin. If the account has Segment Export instead, choose that for events.",
        answer,
    )


def redirected(endpoint: str, host: str | None) -> AirbyteTracedException:
    return config_error(
        f"FullStory's API answered {endpoint} with a redirect to {host or 'nowhere'}, and the API key is not sent "
        "anywhere else. If that is where your account's data is, put it into api_url; if not, find out what stands "
        "between this machine and FullStory.",
        f"{endpoint} redirected",
    )


def redirected_into_the_clear(host: str | None) -> AirbyteTracedException:
    return system_error(
        f"FullStory redirected a download to {host or 'nowhere'}, by an address that is not encrypted, or that "
        "programs read differently. That should never be; check whether something stands between this machine and "
        "FullStory.",
        "redirected into the clear",
    )


def no_segment(segment: str, answer: str) -> AirbyteTracedException:
    return config_error(
        f"FullStory has no segment {segment!r} ({answer}). Give the id of a segment, which the stream segments lists, "
        "or leave it out for everyone.",
        answer,
    )


def explain(body: Any) -> str:
    """What an error body says, masked, and cut to a few hundred characters."""
    if isinstance(body, dict):
        body = "; ".join(filter(None, (as_text(body.get(name)) for name in ("code", "message", "error"))))
    return quote(body)


class Unreachable(AirbyteTracedException):
    """Given up, after all tries. The message says what to do, but not what becomes of what was read."""


def given_up(stream: str, endpoint: str, host: str | None, failure: GivenUp) -> Unreachable:
    if failure.wait is not None:
        return asked_to_wait(stream, endpoint, failure, failure.wait)
    return _unreachable(
        f"FullStory could not be read for {stream}: {endpoint} at {host} {failure}. Try again. If this goes on, look "
        "at https://status.fullstory.com, and check that this machine can reach that address.",
        f"{endpoint} {failure.problem}",
    )


def asked_to_wait(stream: str, what: str, failure: GivenUp, seconds: float) -> Unreachable:
    """At a daily quota, a 429 may ask to wait for hours (developer.fullstory.com, "Limits")."""
    quota = "A limit that lasts so long is a daily quota of the account: other programs that use it count, too. "
    return _unreachable(
        f"FullStory asks to wait {_spoken(seconds)} before {what} is asked for {stream} again: it {failure}. "
        f"{quota if seconds >= _QUOTA_SECONDS else ''}Try again after that time, or ask FullStory for a higher limit.",
        f"{what} asks to wait {seconds:.0f} s",
    )


def _unreachable(message: str, internal: str) -> Unreachable:
    traced = transient_error(message, internal)
    return Unreachable(traced.internal_message, traced.message, traced.failure_type)


def _spoken(seconds: float) -> str:
    """`2 hours`, `90 minutes`."""
    minutes = math.ceil(seconds / 60)
    number, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def as_traced(error: BaseException, stream: str, kept: str) -> AirbyteTracedException:
    """The error trace for a stream that failed: names the stream, the endpoint, the remedy, and what is `kept`."""
    if isinstance(error, Unreachable):
        return transient_error(f"{error.message} {kept}", str(error.internal_message))
    if isinstance(error, AirbyteTracedException):
        return error
    if isinstance(error, NotOffered):
        return config_error(f"Stream {stream} cannot be read. {error}", str(error))
    if isinstance(error, FullStoryError):
        return system_error(
            f"FullStory did not take a request for stream {stream} ({error}). {kept} Run the sync again; if it fails "
            "at the same place, report it with this message.",
            str(error),
        )
    if isinstance(error, TooLarge):
        return system_error(f"FullStory {error} for stream {stream}. Please report it.", str(error))
    return defect(f"Stream {stream}", error)


def as_sentence(error: Exception) -> AirbyteTracedException:
    """The error for a person who fills in the form."""
    if isinstance(error, AirbyteTracedException):
        return error
    if isinstance(error, Missing):
        return config_error(
            f"There is no FullStory API at this address ({error}). Leave the API address out for FullStory's own."
        )
    return system_error(f"FullStory did not take a request of this check: {error}. {_AGAIN}", str(error))
