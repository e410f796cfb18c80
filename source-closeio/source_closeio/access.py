"""What the key may read: asked by check and discover, with one small request a stream, side by side."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from source_closeio.event_log.changes import Changes
from source_closeio.http.api import CloseApi
from source_closeio.http.errors import CloseError, deleted_document
from source_closeio.kit.contract import Page
from source_closeio.stream import CloseStream

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class Access:
    """What the probes of streams have told."""

    refused: dict[str, CloseError] = field(default_factory=dict)
    """Definitely: 402, 403, and 400 or 404 to a request that could not be simpler."""
    other: set[str] = field(default_factory=set)
    """Given, or not known: what has failed in a way that may pass is not refused."""


def probe(api: CloseApi, streams: Sequence[type[CloseStream]]) -> Access:
    """Ask for each of the streams."""
    waiting: SimpleQueue[CloseStream] = SimpleQueue()
    for stream in streams:
        waiting.put(stream(api, api.config, Changes(), {}))
    access = Access()
    threads = [Thread(target=_work, args=(waiting, access), daemon=True) for _ in range(api.config.num_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return access


def _work(waiting: SimpleQueue[CloseStream], access: Access) -> None:
    while True:
        try:
            stream = waiting.get_nowait()
        except Empty:
            return
        try:
            stream.client.patience = stream.api.timing.check_patience
            stream.probe()
            access.other.add(stream.name)
        except CloseError as error:
            if deleted_document(error):
                access.other.add(stream.name)
            else:
                access.refused[stream.name] = error
        except Exception:  # noqa: BLE001 - whatever it is, it is no refusal
            access.other.add(stream.name)


def prove_use(api: CloseApi, me: Mapping[str, Any], streams: Sequence[type[CloseStream]]) -> None:
    """Raise CloseError if the key may read nothing beyond /me/; warn if it sees only some leads."""
    try:
        leads = api.client("check", api.timing.check_patience).get_list("lead/", {"_limit": 1})["data"]
    except CloseError:
        if not probe(api, [stream for stream in streams if stream.is_probed]).other:
            raise
        leads = []
    _warn_of_partial_view(me, leads)


def _warn_of_partial_view(me: Mapping[str, Any], leads: Page) -> None:
    """A role without the permission `view_all_leads` sees the leads that are assigned to it, and what belongs to
    them (https://developer.close.com/api/resources/roles); Close does not say that rows are missing."""
    memberships = me.get("memberships")
    if not isinstance(memberships, list) or not all(isinstance(each, dict) for each in memberships):
        logger.warning("Whether this API key sees all leads is not known: Close does not say it as it used to.")
        return
    own = leads[0].get("organization_id") if leads else None
    granted = [
        each.get("permissions_granted")
        for each in memberships
        if own is None or len(memberships) == 1 or each.get("organization_id") == own
    ]
    known = [each for each in granted if isinstance(each, list)]
    if known and not any("view_all_leads" in each for each in known):
        logger.warning(
            "The user of this API key may not view all leads (permission view_all_leads). Leads that it does not "
            "see, and their activities and tasks, will be missing. Use the key of an administrator to get all."
        )
