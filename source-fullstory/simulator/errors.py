"""What the API says when it refuses."""

from __future__ import annotations

from simkit.reply import Reply

TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class BadRequest(Exception):
    """The request makes no sense: status 400, and why."""


def problem(status: int, message: str, **headers: str) -> Reply:
    """An error in the API's words. (The texts are not documented; only `code` and `message` are.)"""
    return Reply.json(
        {"code": TEXTS.get(status, "error").lower().replace(" ", "_"), "message": message}, status, **headers
    )
