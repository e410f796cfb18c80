"""Which streams FullStory does not give to this key and account, for discover: one small request for each.

A stream that is left out cannot be chosen, so only a definite refusal counts. What may pass (a limit, an outage, an
answer that takes too long) leaves it in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from source_fullstory.http import errors
from source_fullstory.http.api import FullStoryApi
from source_fullstory.stream import FullStoryStream

_SIDE_BY_SIDE = 8
_SECONDS = 30.0
"""For all answers: a person is waiting. kit/source.py gives up after 50."""

logger = logging.getLogger("airbyte")

Answer = tuple[FullStoryStream[Any], errors.FullStoryError | None]


def offered(api: FullStoryApi, streams: Sequence[FullStoryStream[Any]]) -> list[FullStoryStream[Any]]:
    """Those of the streams that FullStory does not refuse. Raises AirbyteTracedException for a wrong key, and where
    FullStory cannot be reached."""
    is_fullstory = _knows_key(api)
    refusals = {stream.name: error for stream, error in _answers(api, streams) if error}
    # Where nobody knows of keys, an address that is not FullStory's has none of its endpoints either.
    definite = (errors.Denied, errors.Missing) if is_fullstory else (errors.Denied,)
    left_out = {name: error for name, error in refusals.items() if isinstance(error, definite)}
    for name, error in left_out.items():
        logger.info(f"{name}: left out, because FullStory does not offer it to this API key or account ({error})")
    return [stream for stream in streams if stream.name not in left_out]


def _knows_key(api: FullStoryApi) -> bool:
    try:
        api.client("discover", api.timing.check_patience).get("/me")
    except errors.FullStoryError:
        return False
    return True


def _answers(api: FullStoryApi, streams: Sequence[FullStoryStream[Any]]) -> list[Answer]:
    """What came of each request that was answered in time."""
    todo: SimpleQueue[FullStoryStream[Any]] = SimpleQueue()
    done: SimpleQueue[Answer] = SimpleQueue()
    for stream in streams:
        todo.put(stream)
    for _ in range(_SIDE_BY_SIDE):
        # Daemons: they may be waiting for a server that never answers when all is said.
        Thread(target=_ask, args=(api, todo, done), daemon=True).start()
    return _in_time(done, len(streams))


def _in_time(done: SimpleQueue[Answer], number: int) -> list[Answer]:
    answers: list[Answer] = []
    deadline = time.monotonic() + _SECONDS
    while len(answers) < number:
        try:
            answers.append(done.get(timeout=max(0.0, deadline - time.monotonic())))
        except Empty:
            logger.info(f"FullStory did not say in time whether it offers {number - len(answers)} streams")
            break
    return answers


def _ask(api: FullStoryApi, todo: SimpleQueue[FullStoryStream[Any]], done: SimpleQueue[Answer]) -> None:
    while True:
        try:
            stream = todo.get_nowait()
        except Empty:
            return
        refusal = None
        try:
            stream.probe(api.client(stream.name, api.timing.check_patience))
        except errors.FullStoryError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no refusal, and the others are to be asked
            logger.info(f"{stream.name}: FullStory did not say whether it offers it ({type(error).__name__})")
        done.put((stream, refusal))
