"""Config to streams: what check asks, what discover finds, how read puts the streams together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airbyte_cdk.models import AirbyteStream, ConfiguredAirbyteStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.config import Config
from source_closeio.event_log.change_reading import EventReader
from source_closeio.event_log.changes import Changes
from source_closeio.families.custom_fields import columns, definitions
from source_closeio.http import errors
from source_closeio.http.api import TIMING, CloseApi
from source_closeio.kit.contract import Page
from source_closeio.kit.reader import Reader
from source_closeio.kit.retry import Timing
from source_closeio.kit.source import KitSource, States
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS, EventLog

logger = logging.getLogger("airbyte")


class SourceCloseio(KitSource[Config, CloseApi]):
    """Close, the CRM."""

    server = "Close"

    def __init__(self, timing: Timing = TIMING) -> None:
        self._timing = timing

    def parse_config(self, raw: Mapping[str, Any]) -> Config:
        return Config.parse(raw)

    def connect(self, config: Config) -> CloseApi:
        return CloseApi(config, self._timing)

    def stream_names(self) -> Sequence[str]:
        return [stream.name for stream in STREAMS]

    def verify(self, api: CloseApi) -> None:
        """Ask Close who we are. A key that sees only a part is good, with a warning in the log."""
        try:
            me = api.client("check", self._timing.check_patience).get("me/")
        except (errors.CloseError, AirbyteTracedException) as error:
            raise errors.as_sentence(error) from error
        _warn_of_partial_view(me)

    def streams(self, api: CloseApi, config: Config) -> Sequence[AirbyteStream]:
        """The streams, with the organization's own custom fields as columns."""
        fields = _custom_fields(api)
        return [_catalog_entry(stream(api, config), fields) for stream in STREAMS]

    def reader(
        self, api: CloseApi, config: Config, chosen: Sequence[ConfiguredAirbyteStream], states: States
    ) -> Reader:
        api.learn_clock()
        known = {stream.name: stream for stream in STREAMS}
        streams = [known[each.stream.name](api, config) for each in chosen]
        _share_event_log(streams, states, EventLog(api, config))
        # More threads than requests in flight, for some wait for the rate limit of their stream's endpoints, or for
        # the event log.
        return Reader(streams, states, config.num_workers + len(streams) - 1)


def _share_event_log(streams: Sequence[CloseStream], states: States, log_of_nobody: EventLog) -> None:
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
        return [field for page in definitions(api.client("custom_fields", api.timing.check_patience)) for field in page]
    except errors.CloseError as error:
        logger.warning(f"The catalog will lack the columns of custom fields. {error}")
        return []


def _catalog_entry(stream: CloseStream, fields: Page) -> AirbyteStream:
    own: dict[str, Any] = {}
    for object_type in stream.custom_fields_of:
        own.update(columns(fields, object_type))
    return stream.as_airbyte_stream(own)
