"""The console script: hands the command line to the CDK."""

import os
import signal
import sys
from types import FrameType

from airbyte_cdk.entrypoint import AirbyteEntrypoint, launch
from airbyte_cdk.exception_handler import init_uncaught_exception_handler
from airbyte_cdk.logger import init_logger

from source_fullstory.config import Config
from source_fullstory.source import SourceFullstory


def run() -> None:
    """Run spec, check, discover or read, as the command line says."""
    init_uncaught_exception_handler(init_logger("airbyte"))
    # The CDK would answer a check with the regular expression that did not match; ours says what to write instead.
    AirbyteEntrypoint.validate_connection = staticmethod(lambda _spec, config: Config.parse(config))  # type: ignore[method-assign, assignment]
    if os.getpid() == 1:
        # The kernel ignores SIGTERM for process 1 of a container unless it is handled: `docker stop` would hang.
        signal.signal(signal.SIGTERM, _terminate)
    launch(SourceFullstory(), sys.argv[1:])


def _terminate(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)
