"""Config to streams; check, discover and read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    FailureType,
    Status,
    StreamDescriptor,
)
from airbyte_cdk.sources import Source
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.config import Config
from source_fullstory.http import errors
from source_fullstory.http.api import CHECK_PATIENCE, Client, FullStoryApi
from source_fullstory.kit.output import keep_nulls
from source_fullstory.kit.reader import Reader
from source_fullstory.streams import STREAMS, stream_of

_MORE_WORKERS = 3
"""Than streams: for the sessions of users, of which several are asked for at once."""

logger = logging.getLogger("airbyte")


class SourceFullstory(Source):
    """FullStory: events, by bundles or by segment export, and the account around them."""

    # Our own checks (config.py) say what to do; the schema's would say which pattern did not match.
    check_config_against_spec = False

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The CDK would write the config, with the key, to a file that stays when the process is killed."""
        return config

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Ask FullStory whose key it is, and for what tells whether events can be read."""
        try:
            _check(FullStoryApi(Config.parse(config)))
        except (AirbyteTracedException, errors.FullStoryError) as error:
            message = filter_secrets(errors.as_sentence(error))
            return AirbyteConnectionStatus(status=Status.FAILED, message=message)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED)

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """The streams. Asks FullStory nothing."""
        parsed = Config.parse(config)
        api = FullStoryApi(parsed)
        return AirbyteCatalog(streams=[stream_of(each, api, parsed).as_airbyte_stream() for each in STREAMS])

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        """Reads also the state file of the Singer tap, `{"events": "<stop of the last bundle>"}`."""
        found = json.loads(Path(state_path).read_text("utf-8")) if state_path else None
        if not isinstance(found, dict):
            return super().read_state(state_path)
        known = {stream.name for stream in STREAMS}
        return [_state_of(name, found) for name in found if name in known and isinstance(found[name], str)]

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterable[AirbyteMessage]:
        """Read the configured streams side by side. Raises AirbyteTracedException at the end if one failed."""
        keep_nulls()
        parsed = Config.parse(config)
        api = FullStoryApi(parsed)
        known = {stream.name: stream for stream in STREAMS}
        chosen = list(dict.fromkeys(configured.stream.name for configured in catalog.streams))
        streams = [stream_of(known[name], api, parsed) for name in chosen if name in known]
        # A thread for each stream, so that none waits for another; spool.py has those for downloads.
        reader = Reader(streams, _states(state), len(streams) + _MORE_WORKERS)
        yield from reader.read()
        unknown = [name for name in chosen if name not in known]
        for name in unknown:
            yield status_message(StreamDescriptor(name=name), AirbyteStreamStatus.INCOMPLETE)
        reader.raise_failures()
        if unknown:
            raise _unknown_streams(unknown)


def _check(api: FullStoryApi) -> None:
    """Raises what is wrong. A key's role does not tell whether the account has Data Export; the list does."""
    client = api.client("check", CHECK_PATIENCE)
    try:
        role = client.get("/me").get("role")
    except errors.FullStoryError as error:
        logger.warning(f"FullStory does not say whose key it is ({error}); going by what it lets us read.")
        role = None
    if role == "USER":
        raise errors.standard_key()
    if api.config.events_source.by_export:
        _check_segment(client, api.config.events_source.segment_id)
        return
    try:
        client.exports(api.sync_start)
    except (errors.Denied, errors.Missing) as error:
        raise errors.no_data_export(str(error)) from error


def _check_segment(client: Client, segment: str) -> None:
    """Whether the account has the add-on Segment Export, only ordering an export would tell."""
    if segment == "everyone":
        client.get("/segments/v1", {"limit": 1})
        return
    try:
        client.get(f"/segments/v1/{quote(segment, safe='')}")
    except errors.Missing as error:
        raise errors.no_segment(segment, str(error)) from error


def _state_of(stream: str, found: Mapping[str, Any]) -> AirbyteStateMessage:
    state = AirbyteStreamState(
        stream_descriptor=StreamDescriptor(name=stream), stream_state=AirbyteStateBlob({stream: found[stream]})
    )
    return AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=state)


def _states(messages: list[AirbyteStateMessage] | None) -> dict[str, dict[str, Any]]:
    """The saved states by stream name."""
    return {
        message.stream.stream_descriptor.name: dict(vars(message.stream.stream_state))
        for message in messages or []
        if message.stream and message.stream.stream_state
    }


def _unknown_streams(names: list[str]) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"This source has no stream {', '.join(names)}. Refresh the source's schema in the connection.",
        internal_message=f"unknown streams: {names}",
        failure_type=FailureType.config_error,
    )
