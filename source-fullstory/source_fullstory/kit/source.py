"""check, discover and read, whatever the API. A connector says how to connect, and which streams there are."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Generic, TypeVar

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    AirbyteStream,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    ConfiguredAirbyteStream,
    Status,
    StreamDescriptor,
)
from airbyte_cdk.sources import Source
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .errors import config_error, defect, names, system_error, transient_error
from .output import keep_nulls
from .reader import Reader
from .transport import TooLarge

Config = TypeVar("Config")
Api = TypeVar("Api")
Result = TypeVar("Result")
States = Mapping[str, Mapping[str, Any]]

_PERSON_SECONDS = 50.0
"""How long a person waits for an answer to the form they filled in."""

_MOST_FILE_BYTES = 200_000_000

logger = logging.getLogger("airbyte")


class KitSource(Source, ABC, Generic[Config, Api]):
    """The part of a source that is the same for every API."""

    # parse_config says what to do; the schema's check would say which pattern did not match.
    check_config_against_spec = False

    server: str
    """What the API is called in messages."""

    # for the connector to say

    @abstractmethod
    def parse_config(self, raw: Mapping[str, Any]) -> Config:
        """Raises AirbyteTracedException (config error)."""

    @abstractmethod
    def connect(self, config: Config) -> Api:
        """The API for this config; asks nothing yet."""

    @abstractmethod
    def verify(self, api: Api) -> None:
        """Ask for what tells whether the key is good for anything. Raises AirbyteTracedException with a sentence for
        the person who fills in the form."""

    @abstractmethod
    def streams(self, api: Api, config: Config) -> Sequence[AirbyteStream]:
        """The catalog. Raises AirbyteTracedException as `verify` does."""

    @abstractmethod
    def reader(self, api: Api, config: Config, chosen: Sequence[ConfiguredAirbyteStream], states: States) -> Reader:
        """Reads the configured streams, of which all are known."""

    @abstractmethod
    def stream_names(self) -> Sequence[str]:
        """All streams of the source."""

    # the CDK's interface

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The CDK would write the config, with the key, to a file that stays when the process is killed."""
        return config

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """FAILED with a sentence, or SUCCEEDED; within a minute, whatever the server does."""
        try:
            api = self.connect(self.parse_config(config))
            self._in_time(lambda: self.verify(api))
        except AirbyteTracedException as error:
            return AirbyteConnectionStatus(status=Status.FAILED, message=filter_secrets(error.message or str(error)))
        return AirbyteConnectionStatus(status=Status.SUCCEEDED)

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """The catalog, within a minute. Raises AirbyteTracedException."""
        parsed = self.parse_config(config)
        api = self.connect(parsed)
        return AirbyteCatalog(streams=list(self._in_time(lambda: self.streams(api, parsed))))

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterable[AirbyteMessage]:
        """Read the configured streams side by side. Raises AirbyteTracedException at the end if one failed."""
        keep_nulls()
        parsed = self.parse_config(config)
        known = set(self.stream_names())
        chosen = {each.stream.name: each for each in catalog.streams}
        unknown = [name for name in chosen if name not in known]
        configured = [each for name, each in chosen.items() if name in known]
        reader = self.reader(self.connect(parsed), parsed, configured, states_by_stream(state or []))
        yield from reader.read()
        for name in unknown:
            yield from _unknown(name)
        reader.raise_failures()
        if unknown:
            raise config_error(
                f"This source has no stream {names(unknown)}. Refresh the source's schema in the connection."
            )

    def _in_time(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, or raises. Raises AirbyteTracedException when a person would have to wait too long:
        name servers, handshakes and proxies each have ways to hold a connection up that no timeout covers."""
        outcome: list[Callable[[], Result]] = []

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                outcome.append(_raising(error))
            else:
                outcome.append(lambda: result)

        thread = Thread(target=run, name="person", daemon=True)
        thread.start()
        thread.join(_PERSON_SECONDS)
        if not outcome:
            raise transient_error(
                f"{self.server} did not answer within {_PERSON_SECONDS:.0f} s. Check that this machine can reach it, "
                "and that no proxy or firewall is in the way; then try again.",
                "no answer in time",
            )
        try:
            return outcome[0]()
        except AirbyteTracedException:
            raise
        except TooLarge as error:
            raise system_error(f"{self.server} {error}, to a question with a short answer.", str(error)) from error
        except Exception as error:
            raise defect("The question to " + self.server, error) from error

    # files

    @staticmethod
    def read_config(config_path: str) -> dict[str, Any]:
        found = read_json(config_path, "config")
        if not isinstance(found, dict):
            raise config_error(f'The config file {config_path} must hold a JSON object, as in {{"api_key": ...}}.')
        return found

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        found = read_json(catalog_path, "catalog")
        try:
            return ConfiguredAirbyteCatalogSerializer.load(found)
        except Exception as error:
            raise config_error(
                f"The catalog file {catalog_path} holds no configured catalog: an object with a list of streams, each "
                "with stream, sync_mode and destination_sync_mode. What `discover` prints has to be made into one."
            ) from error

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        found = read_json(state_path, "state") if state_path else None
        try:
            return cls.states(found)
        except Exception as error:
            raise config_error(
                f"The state file {state_path} holds no state: a list of messages as a sync prints them under `state`."
            ) from error

    @classmethod
    def states(cls, found: Any) -> list[AirbyteStateMessage]:
        """What a state file holds, as messages: a list of them; one, as the platform once wrote it; or an object by
        stream name. Raises whatever it raises for anything else."""
        if not found and not isinstance(found, (str, int)):
            return []
        if not isinstance(found, dict):
            return [AirbyteStateMessageSerializer.load(each) for each in found]
        if "type" in found or "stream" in found or "global" in found or "data" in found:
            return [AirbyteStateMessageSerializer.load(found)]
        return [AirbyteStateMessageSerializer.load({"type": "LEGACY", "data": found})]


def states_by_stream(messages: Iterable[AirbyteStateMessage]) -> dict[str, dict[str, Any]]:
    """The saved states by stream name, from messages of all three kinds (STREAM, GLOBAL, LEGACY)."""
    found: dict[str, dict[str, Any]] = {}
    for message in messages:
        if isinstance(message.data, dict):
            found.update({name: dict(state) for name, state in message.data.items() if isinstance(state, dict)})
        streams = [message.stream] if message.stream else []
        streams += message.global_.stream_states if message.global_ else []
        for stream in streams:
            if stream.stream_state is not None:
                found[stream.stream_descriptor.name] = dict(vars(stream.stream_state))
    return found


def read_json(path: str, what: str) -> Any:
    """What a file of the command line holds. Raises AirbyteTracedException (config error) that names the file."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_FILE_BYTES + 1)
        if len(content) > _MOST_FILE_BYTES:
            raise config_error(f"The {what} file {path} is larger than {_MOST_FILE_BYTES / 1e6:.0f} MB.")
        return json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise config_error(
            f"The {what} file {path} cannot be read: {error.strerror}. It has to be there, and readable by the user "
            "that the connector runs as (in the image: airbyte, uid 1000)."
        ) from error
    except (ValueError, RecursionError) as error:
        raise config_error(f"The {what} file {path} is not valid JSON.") from error


def _unknown(name: str) -> Iterator[AirbyteMessage]:
    for status in (AirbyteStreamStatus.STARTED, AirbyteStreamStatus.INCOMPLETE):
        yield status_message(StreamDescriptor(name=name), status)


def _raising(error: BaseException) -> Callable[[], Any]:
    def outcome() -> Any:
        raise error

    return outcome
