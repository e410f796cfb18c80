"""WHAT FullStory has: one class per stream, and the one ordered registry.

To add a stream: a class here, schemas/<name>.json, sample data in the simulator, and a row in the README's table;
the tests over STREAMS insist on the rest. HOW FullStory behaves stands in events.py and export_bundles.py.
"""

from __future__ import annotations

from source_fullstory.events import EventStream
from source_fullstory.export_bundles import BundleListStream
from source_fullstory.stream import FullStoryStream


class Events(EventStream):
    """The rows of all bundles. https://developer.fullstory.com, "Get data export" """

    name = "events"
    primary_key = "event_key"
    cursor_field = "bundle_id"


class ExportBundles(BundleListStream):
    """https://developer.fullstory.com, "List event exports" """

    name = "export_bundles"
    primary_key = "id"
    cursor_field = "stop"


STREAMS: tuple[type[FullStoryStream], ...] = (Events, ExportBundles)
