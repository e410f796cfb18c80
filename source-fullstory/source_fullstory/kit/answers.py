"""What a server answered, as JSON: what is no such thing may be better the next time."""

from __future__ import annotations

from typing import Any

from . import json_text
from .retry import Retry

Body = dict[str, Any]


def parsed(content: bytes) -> Any:
    """The value of a success."""
    try:
        return json_text.parse(content)
    except json_text.NotJson as error:
        raise Retry(f"answered {error}") from error


def parsed_or_text(content: bytes) -> Any:
    """What a refusal says, whatever it is written in."""
    try:
        return json_text.parse(content)
    except json_text.NotJson:
        return content.decode(errors="replace")


def expect_object(body: Any) -> Body:
    """The body, if it is an object."""
    if not isinstance(body, dict):
        raise Retry("answered JSON that is not an object")
    return body
