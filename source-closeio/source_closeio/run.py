"""The console script: hands the command line to the CDK."""

import logging
import os
import signal
import sys
from types import FrameType

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.exception_handler import init_uncaught_exception_handler
from airbyte_cdk.logger import init_logger

from source_closeio.config import Config
from source_closeio.kit.output import Stdout, as_line
from source_closeio.source import SourceCloseio


class Entrypoint(AirbyteEntrypoint):
    """The CDK's, with our check of the config and our count of the records."""

    # The CDK counts message by message what the reader knows by page, and sets on each state.
    handle_record_counts = staticmethod(lambda message, _counts: message)  # type: ignore[assignment]
    # The CDK would answer a check with the regular expression that did not match; ours says what to write instead.
    validate_connection = staticmethod(lambda _spec, config: Config.parse(config))  # type: ignore[assignment]


def run() -> None:
    """Run spec, check, discover or read, as the command line says."""
    stdout = Stdout()
    sys.stdout = stdout
    init_uncaught_exception_handler(init_logger("airbyte"))
    for handler in logging.root.handlers:
        # The CDK's logs through its print buffer, a second way to the same pipe: it would tear records apart.
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stdout)
    if os.getpid() == 1:
        # The kernel ignores SIGTERM for process 1 of a container unless it is handled: `docker stop` would hang.
        signal.signal(signal.SIGTERM, _terminate)
    # Assigned, not overridden: the CDK calls it by the name of its own class.
    AirbyteEntrypoint.airbyte_message_to_string = staticmethod(as_line)  # type: ignore[method-assign, assignment]
    entrypoint = Entrypoint(SourceCloseio())
    try:
        for line in entrypoint.run(entrypoint.parse_args(sys.argv[1:])):
            stdout.write_line(line)  # type: ignore[arg-type]
        stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # nobody reads any more, so nobody can be told why


def _terminate(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)
