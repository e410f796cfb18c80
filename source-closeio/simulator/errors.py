"""The refusals of the API, with the bodies that were recorded or are documented."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer other than 200, raised from wherever it is noticed."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def bad_request(text: str) -> Refusal:
    return Refusal(400, {"error": text})


def bad_field(name: str, text: str) -> Refusal:
    return Refusal(400, {"errors": [], "field-errors": {name: text}})


def not_found(text: str = "Not found.") -> Refusal:
    return Refusal(404, {"error": text})


def unauthorized() -> Refusal:
    return Refusal(
        401,
        {
            "error": "The server could not verify that you are authorized to access the document you requested. "
            "Either you supplied the wrong credentials (e.g. a bad API key), or your browser doesn't understand "
            "how to supply the credentials required."
        },
    )
