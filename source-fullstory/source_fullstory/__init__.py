"""Airbyte source for FullStory (fullstory.com): every event of every Data Export bundle."""

from source_fullstory.source import SourceFullstory

__all__ = ["SourceFullstory"]
