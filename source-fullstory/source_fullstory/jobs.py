"""Whether a state is of an earlier attempt of this sync.

Airbyte gives a full refresh no state when it begins, and that of the attempt before when it tries the same job again:
the table then keeps what that attempt wrote, so it must neither begin again nor leave anything out. Other runners hand
over the state of whatever sync came before, which must not shorten a full refresh.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def job() -> str:
    """Which job of Airbyte's this is, the same in all attempts (airbyte-platform, WorkerEnvConstants); "" elsewhere."""
    return os.environ.get("WORKER_JOB_ID", "")


def this_job() -> dict[str, str]:
    """The part of a state that tells which job wrote it."""
    return {"job": job()} if job() else {}


def if_of_this_job(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a full refresh of a stream with a cursor begins with."""
    return state if job() and state.get("job") == job() else {}
