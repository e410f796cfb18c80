"""Airbyte source for Close (close.com), the CRM.

Its rooms, from the front door to the ground. Each imports only from those below it:

    run         the command
    source      check, discover, read: from the config to streams
    access      which streams this key may read
    streams     WHAT Close has: one class a stream, and the registry
    families    HOW each kind of stream is read
    stream      the base of every stream: catalog, slices, state
    event_log   what changed outside the windows
    paging      walks through lists and searches, and windows of time
    http        one request: client, errors, rate limits
    config      what the user filled in
    kit         how any source of this kind runs

unit_tests/test_house.py holds the package to this list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from source_closeio.source import SourceCloseio

__all__ = ["SourceCloseio"]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: `run` handles signals before it takes the second to import the CDK."""
    if name != "SourceCloseio":
        raise AttributeError(name)
    from source_closeio.source import SourceCloseio

    return SourceCloseio
