"""Airbyte source for Close (close.com), the CRM."""

from source_closeio.source import SourceCloseio

__all__ = ["SourceCloseio"]
