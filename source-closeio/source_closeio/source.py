"""Config to streams: what check asks, what discover finds, how read puts the streams together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airbyte_cdk.models import AirbyteStream, ConfiguredAirbyteStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.config import Config
from source_closeio.event_log.changes import Changes
from source_closeio.families.custom_fields import columns, definitions
from source_closeio.families.events import UnlistedEventStream
from source_closeio.http import errors
from source_closeio.http.api import TIMING, CloseApi
from source_closeio.kit.contract import Page
from source_closeio.kit.errors import config_error
from source_closeio.kit.reader import Reader
from source_closeio.kit.retry import Timing
from source_closeio.kit.source import KitSource, States
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS, EventLog

_SPARE_WORKERS = 16
"""So many lists of activities share one rate limit: while workers wait for it, others read what is under another."""

logger = logging.getLogger("airbyte")


class SourceCloseio(KitSource[Config, CloseApi]):
    """Close, the CRM."""

    server = "Close"

    def __init__(self, timing: Timing = TIMING, spare_workers: int = _SPARE_WORKERS) -> None:
        self._timing = timing
        self._spare_workers = spare_workers

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
        if not me.get("id"):
            raise config_error("What answers at this address is not Close's API: it does not say whose key it is.")
        _warn_of_partial_view(me)

    def streams(self, api: CloseApi, config: Config) -> Sequence[AirbyteStream]:
        """The streams, with the organization's own custom fields as columns."""
        try:
            fields = _custom_fields(api)
        except AirbyteTracedException as error:
            raise errors.as_sentence(error) from error
        return [_catalog_entry(stream, fields) for stream in STREAMS]

    def reader(
        self, api: CloseApi, config: Config, chosen: Sequence[ConfiguredAirbyteStream], states: States
    ) -> Reader:
        api.learn_clock()
        known = {stream.name: stream for stream in STREAMS}
        changes = Changes()
        names = [each.stream.name for each in chosen]
        streams = [known[name](api, config, changes, states.get(name, {})) for name in names]
        # Those that need the event log learn from its stream where that is selected too, so that it is read once.
        is_unlisted = changes.since is not None and EventLog.name not in names
        unlisted = [UnlistedEventStream(api, config, changes, {})] if is_unlisted else []
        return Reader(streams, states, config.num_workers + self._spare_workers, unlisted)


def _warn_of_partial_view(me: Mapping[str, Any]) -> None:
    """A role without the permission `view_all_leads` sees the leads that are assigned to it, and what belongs to
    them (https://developer.close.com/api/resources/roles); Close does not say that rows are missing."""
    memberships = me.get("memberships")
    for membership in memberships if isinstance(memberships, list) else []:
        granted = membership.get("permissions_granted") if isinstance(membership, dict) else None
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


def _catalog_entry(stream: type[CloseStream], fields: Page) -> AirbyteStream:
    own: dict[str, Any] = {}
    for object_type in stream.custom_fields_of:
        own.update(columns(fields, object_type))
    return stream.as_airbyte_stream(own)
