"""`/_simulator/…`: what tests in the same process do by calling, for other processes. No key is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .reply import Reply
from .request import Request

ROOT = "/_simulator/"
Command = Callable[[dict[str, Any]], object]
Commands = Mapping[str, Command]
"""By method and name: `{"POST fault": …}`. What is given is the JSON of the body; behind a second slash, a `name`."""


def answer(commands: Commands, request: Request) -> Reply:
    """What the command returned, as JSON; 400 with the reason when it could not be done."""
    word, _, name = request.path.removeprefix(ROOT).strip("/").partition("/")
    command = commands.get(f"{request.method} {word}")
    if command is None:
        return Reply.json({"error": f"commands: {', '.join(commands)}"}, 404)
    try:
        given = json.loads(request.body or b"{}")
        return Reply.json(command({**given, "name": name} if name else given))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        return Reply.json({"error": f"{type(error).__name__}: {error}"}, 400)
