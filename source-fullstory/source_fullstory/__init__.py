"""Airbyte source for FullStory."""

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
