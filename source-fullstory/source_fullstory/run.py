"""The console script."""

from __future__ import annotations

from source_fullstory.kit.signals import exit_on_signals


def run() -> None:
    """Run spec, check, discover or read, as the command line says."""
    exit_on_signals()  # before the imports, which take a second
    from source_fullstory.kit.entrypoint import launch
    from source_fullstory.source import SourceFullstory

    launch(SourceFullstory(), "source-fullstory")
