"""Airbyte source for Close (close.com), the CRM."""

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
