"""Config to streams: what check asks, how read puts the streams together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    SyncMode,
)
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.config import Config
from source_fullstory.http import errors
from source_fullstory.http.api import TIMING, Client, FullStoryApi, FullStoryTiming
from source_fullstory.jobs import if_of_this_job
from source_fullstory.kit.reader import Reader
from source_fullstory.kit.source import KitSource, States
from source_fullstory.offers import offered
from source_fullstory.rows.exclusion import warn_of_unmatched
from source_fullstory.stream import FullStoryStream
from source_fullstory.streams import STREAMS, stream_of

_MORE_WORKERS = 3
"""Than streams: for the sessions of users, of which several are asked for at once."""

logger = logging.getLogger("airbyte")


class SourceFullstory(KitSource[Config, FullStoryApi]):
    """FullStory: events, by bundles or by segment export, and the account around them."""

    server = "FullStory"

    def __init__(self, timing: FullStoryTiming = TIMING) -> None:
        self._timing = timing
        self._streams: list[FullStoryStream[Any]] = []

    def parse_config(self, raw: Mapping[str, Any]) -> Config:
        return Config.parse(raw)

    def connect(self, config: Config) -> FullStoryApi:
        return FullStoryApi(config, self._timing)

    def stream_names(self) -> Sequence[str]:
        return [stream.name for stream in STREAMS]

    def verify(self, api: FullStoryApi) -> None:
        """Ask FullStory whose key it is, and for what tells whether events can be read."""
        try:
            _check(api)
        except (AirbyteTracedException, errors.FullStoryError) as error:
            raise errors.as_sentence(error) from error

    def streams(self, api: FullStoryApi, config: Config) -> Sequence[AirbyteStream]:
        return [each.as_airbyte_stream() for each in offered(api, [stream_of(kind, api, config) for kind in STREAMS])]

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterable[AirbyteMessage]:
        try:
            yield from super().read(logger, config, catalog, state)
        finally:
            warn_of_unmatched({stream.name: stream.exclusion for stream in self._streams if stream.exclusion.patterns})

    def reader(
        self, api: FullStoryApi, config: Config, chosen: Sequence[ConfiguredAirbyteStream], states: States
    ) -> Reader:
        known = {stream.name: stream for stream in STREAMS}
        self._streams = streams = [stream_of(known[each.stream.name], api, config) for each in chosen]
        saved = {
            stream.name: _state_for(stream, states.get(stream.name, {}), each.sync_mode)
            for stream, each in zip(streams, chosen, strict=True)
        }
        # A thread for each stream, so that none waits for another; spool.py has those for downloads.
        return Reader(streams, saved, len(streams) + _MORE_WORKERS)

    @classmethod
    def states(cls, found: Any) -> list[AirbyteStateMessage]:
        """Also the state file of the Singer tap, `{"events": "<stop of the last bundle>"}`."""
        if isinstance(found, dict):
            found = {name: {name: value} if _is_time(value) else value for name, value in found.items()}
        return super().states(found)


def _state_for(stream: FullStoryStream[Any], state: Mapping[str, Any], mode: SyncMode) -> Mapping[str, Any]:
    """What the stream begins with."""
    if not stream.cursor_field:
        return state  # a place, which knows how long it is good
    if state.get(NO_CURSOR_STATE_KEY):
        return {}  # of a connector that had no cursor for it
    return if_of_this_job(state) if mode is SyncMode.full_refresh else state


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value[:1].isdigit()


def _check(api: FullStoryApi) -> None:
    """Raises what is wrong. A key's role does not tell whether the account has Data Export; the list does."""
    client = api.client("check", api.timing.check_patience)
    role = None
    try:
        me = client.get("/me")
    except errors.FullStoryError as error:
        logger.warning(f"FullStory does not say whose key it is ({error}); going by what it lets us read.")
    else:
        if not me:
            raise errors.nobody()
        role = me.get("role")
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
