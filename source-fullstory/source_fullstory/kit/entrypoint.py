"""The command line, by the CDK's entry point; and all that is done otherwise than the CDK does it.

airbyte-cdk 7.39 would: make a temporary folder for every command, `spec` too, and fail where there is none; count
records one by one; buffer stdout so that two threads' lines tear each other apart; drop null values; answer a check
with the regular expression that did not match; print Python's traces for what a user can mend; introduce its memory
monitor at every command; blank each letter of a key that is one letter. unit_tests/test_kit_patches.py has a test for
each that fails when the CDK changes there.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import init_logger, is_platform_debug_log_enabled
from airbyte_cdk.models import AirbyteMessage, ConnectorSpecification, FailureType, Type
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .errors import defect, trace_message
from .output import OutputError, Stdout, as_line
from .secrets import conceal
from .signals import before_exit
from .source import KitSource

logger = logging.getLogger("airbyte")


class Entrypoint(AirbyteEntrypoint):
    """The CDK's check, discover and read, without what surrounds them there."""

    source: KitSource[Any, Any]

    def __init__(self, source: KitSource[Any, Any]) -> None:
        logger.setLevel(logging.WARNING)  # until the command is known: the memory monitor would introduce itself
        super().__init__(source)

    # The CDK counts message by message what the reader knows by page, and sets on each state.
    handle_record_counts = staticmethod(lambda message, _counts: message)  # type: ignore[assignment]

    @staticmethod
    def set_up_secret_filter(config: Any, connection_specification: Mapping[str, Any]) -> None:
        """The CDK would keep the key out of messages as it was typed only, and blank every letter that it was, if it
        was one."""
        update_secrets([])
        for name, setting in connection_specification["properties"].items():
            if setting.get("airbyte_secret") and isinstance(config.get(name), str):
                conceal(config[name])

    def validate_connection(  # type: ignore[override]  # static there, called on the instance
        self, source_spec: ConnectorSpecification, config: Any
    ) -> None:
        """Our own checks say what to do; the schema's would say which pattern did not match."""
        self.source.parse_config(config)

    def messages(self, arguments: argparse.Namespace) -> Iterable[AirbyteMessage]:
        """What the command says. Raises AirbyteTracedException."""
        debug = arguments.debug or is_platform_debug_log_enabled()
        logger.setLevel(logging.DEBUG if debug else logging.INFO)
        spec = self.source.spec(logger)
        if arguments.command == "spec":
            yield AirbyteMessage(type=Type.SPEC, spec=spec)
        elif arguments.command == "check":
            yield from self._check(spec, arguments.config)
        elif arguments.command == "discover":
            yield from self.discover(spec, self.source.read_config(arguments.config))
        else:
            config = self.source.read_config(arguments.config)
            catalog = self.source.read_catalog(arguments.catalog)
            yield from self.read(spec, config, catalog, self.source.read_state(arguments.state))

    def _check(self, spec: ConnectorSpecification, config_path: str) -> Iterator[AirbyteMessage]:
        try:
            config = self.source.read_config(config_path)
        except AirbyteTracedException as error:
            status = error.as_connection_status_message()
            if status is None:
                raise
            yield status
            return
        yield from self.check(spec, config)


def launch(source: KitSource[Any, Any], program: str) -> NoReturn:
    """Run spec, check, discover or read, as the command line says, and end the process with the exit status."""
    sys.argv[0] = program  # as the usage names it
    try:
        stdout = _take_over_stdout()
        arguments = AirbyteEntrypoint.parse_args(sys.argv[1:] or ["--help"])
        status = _run(Entrypoint(source), arguments, stdout)
        stdout.flush()
    except OutputError as error:
        status = 1
        if error.errno != errno.EPIPE:  # else nobody reads any more, and need not be told why
            os.write(2, f"{program}: the output cannot be written: {error.strerror}\n".encode())
    # Not sys.exit: workers that still wait for the API would be waited for, or hold a lock that the end needs.
    os._exit(status)


def _run(entrypoint: Entrypoint, arguments: argparse.Namespace, stdout: Stdout) -> int:
    try:
        for message in entrypoint.messages(arguments):
            stdout.write_line(as_line(message))
    except AirbyteTracedException as error:
        failure = error
    except OutputError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a sentence
        failure = defect(f"The command {arguments.command}", error)
    else:
        return 0
    if failure.failure_type is FailureType.system_error:
        logger.fatal(failure.message)
    stdout.write_line(as_line(trace_message(failure)))
    return 1


def _take_over_stdout() -> Stdout:
    """Raises OutputError where there is none."""
    _fill_descriptors()
    stdout = Stdout()
    sys.stdout = stdout
    before_exit(stdout.flush_if_free)
    init_logger("airbyte")
    logging.raiseExceptions = False  # what cannot be written is no reason to print a trace
    for handler in logging.root.handlers:
        # The CDK's logs through its print buffer, a second way to the same pipe: it would tear records apart.
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stdout)
    return stdout


def _fill_descriptors() -> None:
    """A process that is started with closed ones (`2>&-`) would write its messages into the next file that it opens."""
    closed = [descriptor for descriptor in range(3) if not _is_open(descriptor)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    if 1 in closed:
        raise OutputError(errno.EBADF, "it is closed")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
