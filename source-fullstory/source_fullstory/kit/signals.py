"""Ends the process at once when it is told to: by SIGTERM, as `docker stop` sends it, or by SIGINT.

Installed before anything else is imported. The kernel ignores both for process 1 of a container unless they are
handled, and importing the CDK takes a second in which they would be lost.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGINT)
_LAST_WORDS_SECONDS = 1

_last_words: list[Callable[[], None]] = []


def exit_on_signals() -> None:
    """From here on SIGTERM ends the process with status 143, SIGINT with 130."""
    for number in _ENDING:
        signal.signal(number, _exit)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # the image blocks them until here


def before_exit(finish: Callable[[], None]) -> None:
    """Call this before the process ends by a signal. It is cut off after a second."""
    _last_words.append(finish)


def _exit(number: int, _frame: FrameType | None) -> None:
    status = 128 + number
    for other in _ENDING:
        signal.signal(other, lambda *_: os._exit(status))
    signal.signal(signal.SIGALRM, lambda *_: os._exit(status))
    signal.alarm(_LAST_WORDS_SECONDS)
    for finish in _last_words:
        with suppress(Exception):
            finish()
    # Not sys.exit: threads, buffers and destructors could each wait for somebody.
    os._exit(status)
