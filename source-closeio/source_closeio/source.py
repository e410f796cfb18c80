"""Config to streams: what check asks, what discover finds, how read puts the streams together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airbyte_cdk.models import AirbyteStream, ConfiguredAirbyteStream, SyncMode
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.access import probe, prove_use
from source_closeio.config import Config
from source_closeio.event_log.changes import Changes
from source_closeio.families.custom_fields import columns, definitions, with_ids
from source_closeio.families.events import UnlistedEventStream
from source_closeio.http import errors
from source_closeio.http.api import TIMING, CloseApi
from source_closeio.kit.contract import Page
from source_closeio.kit.reader import Reader
from source_closeio.kit.retry import Timing
from source_closeio.kit.source import KitSource, States
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS, EventLog

_SPARE_WORKERS = 16
"""So many lists of activities share one rate limit: while workers wait for it, others read what is under another."""
_GENERATION = "generation_id"

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
        """Ask Close who we are, and whether we may read anything. A key that sees only a part is good, with a warning
        in the log."""
        try:
            me = api.me(api.client("check", self._timing.check_patience))
            if not me.get("id"):
                raise errors.nobody(api.host)
            prove_use(api, me, STREAMS)
        except (errors.CloseError, AirbyteTracedException) as error:
            raise errors.as_sentence(error) from error

    def streams(self, api: CloseApi, config: Config) -> Sequence[AirbyteStream]:
        """The streams that Close gives, with the organization's own custom fields as columns."""
        fields = _custom_fields(api)
        refused = probe(api, STREAMS).refused
        for name, refusal in refused.items():
            logger.warning(f"{name} is left out of the catalog. {refusal}")
        return [_catalog_entry(stream, fields) for stream in STREAMS if stream.name not in refused]

    def reader(
        self, api: CloseApi, config: Config, chosen: Sequence[ConfiguredAirbyteStream], states: States
    ) -> Reader:
        api.learn_clock()
        known = {stream.name: stream for stream in STREAMS}
        changes = Changes()
        wanted = [_Wanted.read(each, states) for each in chosen]
        streams = [each.stream(known[each.name], api, config, changes) for each in wanted]
        # Those that need the event log learn from its stream where that is selected too, so that it is read once.
        is_unlisted = changes.since is not None and EventLog.name not in {each.name for each in wanted}
        unlisted = [UnlistedEventStream(api, config, changes, {})] if is_unlisted else []
        workers = config.num_workers + self._spare_workers
        return Reader(streams, {each.name: each.state for each in wanted}, workers, unlisted)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the connection asks of one stream.

    A full refresh reads everything again, unless it goes on after an attempt that was cut off. The platform numbers
    refreshes (`generation_id`), and gives the attempts of one refresh the same number; older ones, and other programs,
    give none, and then no state is taken for an attempt's.
    """

    name: str
    state: Mapping[str, Any]
    said: Mapping[str, Any]
    """What the stream's states say besides, for the next attempt."""
    chosen: Mapping[str, Any]
    """The columns in the catalog, with their types."""
    is_incremental: bool

    @classmethod
    def read(cls, chosen: ConfiguredAirbyteStream, states: States) -> _Wanted:
        state = states.get(chosen.stream.name, {})
        columns = chosen.stream.json_schema.get("properties") or {}
        if chosen.sync_mode is SyncMode.incremental:
            return cls(chosen.stream.name, state, {}, columns, is_incremental=True)
        generation = chosen.generation_id
        goes_on = generation is not None and state.get(_GENERATION) == generation
        said = {} if generation is None else {_GENERATION: generation}
        return cls(chosen.stream.name, state if goes_on else {}, said, columns, is_incremental=False)

    def stream(self, kind: type[CloseStream], api: CloseApi, config: Config, changes: Changes) -> CloseStream:
        """Deleted rows are marked where they can be in the table already."""
        marks = config.mark_deleted_rows and self.is_incremental
        own = replace(config, mark_deleted_rows=marks)
        return kind(api, own, changes, self.state, self.said, self.chosen)


def _custom_fields(api: CloseApi) -> Page:
    """Raises AirbyteTracedException: without these columns the catalog would look like a change of the schema, and
    destinations would drop them."""
    client = api.client("custom_fields", api.timing.check_patience)
    try:
        pages = definitions(client, required=("lead", "contact", "opportunity"))
        return with_ids([field for page in pages for field in page])
    except errors.CloseError as error:
        raise errors.no_custom_fields(error) from error
    except AirbyteTracedException as error:
        raise errors.as_sentence(error) from error


def _catalog_entry(stream: type[CloseStream], fields: Page) -> AirbyteStream:
    return stream.as_airbyte_stream(columns(fields, stream.custom_fields_of))
