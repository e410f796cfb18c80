"""Config to streams; check, discover and read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStream,
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

from source_closeio.config import Config
from source_closeio.event_log.change_reading import EventReader
from source_closeio.event_log.changes import Changes
from source_closeio.families.custom_fields import columns, definitions
from source_closeio.http import errors
from source_closeio.http.api import CHECK_PATIENCE, CloseApi
from source_closeio.kit.output import keep_nulls
from source_closeio.kit.reader import Page, Reader
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS, EventLog

logger = logging.getLogger("airbyte")


class SourceCloseio(Source):
    """Close, the CRM."""

    # Our own checks (config.py) say what to do; the schema's would say which pattern did not match.
    check_config_against_spec = False

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The CDK would write the config, with the key, to a file that stays when the process is killed."""
        return config

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Ask Close who we are. SUCCEEDED also for a key that sees only a part, with a warning in the log."""
        try:
            me = CloseApi(Config.parse(config)).client("check", CHECK_PATIENCE).get("me/")
        except (AirbyteTracedException, errors.CloseError) as error:
            message = filter_secrets(errors.as_sentence(error))
            return AirbyteConnectionStatus(status=Status.FAILED, message=message)
        _warn_of_partial_view(me)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED)

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """The streams, with the organization's own custom fields as columns."""
        parsed = Config.parse(config)
        api = CloseApi(parsed)
        fields = _custom_fields(api)
        return AirbyteCatalog(streams=[_catalog_entry(stream(api, parsed), fields) for stream in STREAMS])

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
        api = CloseApi(parsed)
        known = {stream.name: stream for stream in STREAMS}
        chosen = list(dict.fromkeys(configured.stream.name for configured in catalog.streams))
        streams = [known[name](api, parsed) for name in chosen if name in known]
        states = _states(state)
        _share_event_log(streams, states, EventLog(api, parsed))
        # More threads than requests in flight, for some wait for the rate limit of their stream's endpoints, or for
        # the event log.
        reader = Reader(streams, states, parsed.num_workers + len(streams) - 1)
        yield from reader.read()
        unknown = [name for name in chosen if name not in known]
        for name in unknown:
            yield status_message(StreamDescriptor(name=name), AirbyteStreamStatus.INCOMPLETE)
        reader.raise_failures()
        if unknown:
            raise _unknown_streams(unknown)


def _share_event_log(
    streams: Sequence[CloseStream], states: Mapping[str, Mapping[str, Any]], log_of_nobody: EventLog
) -> None:
    """All streams that go by the event log share one reading of it: that of the stream event_log, if it is selected."""
    readers = [stream for stream in streams if isinstance(stream, EventReader)]
    wanted = [since for stream in readers if (since := stream.events_since(states.get(stream.name, {})))]
    selected = next((stream for stream in streams if isinstance(stream, EventLog)), None)
    since = min(wanted, default=None)
    changes = Changes(selected or log_of_nobody, since, log_is_selected=selected is not None)
    for stream in readers:
        stream.changes = changes


def _warn_of_partial_view(me: Mapping[str, Any]) -> None:
    """A role without the permission `view_all_leads` sees the leads that are assigned to it, and what belongs to
    them (https://developer.close.com/api/resources/roles); Close does not say that rows are missing."""
    for membership in me.get("memberships") or []:
        granted = membership.get("permissions_granted")
        if isinstance(granted, list) and "view_all_leads" not in granted:
            logger.warning(
                "The user of this API key may not view all leads (permission view_all_leads). Leads that it does not "
                "see, and their activities and tasks, will be missing. Use the key of an administrator to get all."
            )
            return


def _custom_fields(api: CloseApi) -> Page:
    try:
        return [field for page in definitions(api.client("custom_fields")) for field in page]
    except errors.CloseError as error:
        logger.warning(f"The catalog will lack the columns of custom fields. {error}")
        return []


def _catalog_entry(stream: CloseStream, fields: Page) -> AirbyteStream:
    own: dict[str, Any] = {}
    for object_type in stream.custom_fields_of:
        own.update(columns(fields, object_type))
    return stream.as_airbyte_stream(own)


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
