"""Airbyte source for FullStory.

Its rooms, from the front door to the ground. Each imports only from those below it:

    run       the command
    source    check, discover, read: from the config to streams
    offers    which streams this key and account are given
    streams   WHAT FullStory has: one class a stream, and the registry
    account   HOW lists, settings and sessions are read
    events    HOW events and people are read
    stream    the base of every stream: catalog, client, errors
    files     downloads as temporary files
    rows      from bytes to rows, and their keys
    http      one request: client, errors, rate limits
    config    what the user filled in
    epochs    FullStory's times, as Unix seconds
    jobs      whether a state is of an earlier attempt
    kit       how any source of this kind runs

unit_tests/test_house.py holds the package to this list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from source_fullstory.source import SourceFullstory

__all__ = ["SourceFullstory"]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: `run` handles signals before it takes the second to import the CDK."""
    if name != "SourceFullstory":
        raise AttributeError(name)
    from source_fullstory.source import SourceFullstory

    return SourceFullstory
