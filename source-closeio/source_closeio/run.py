"""The console script."""

from __future__ import annotations

from source_closeio.kit.signals import exit_on_signals


def run() -> None:
    """Run spec, check, discover or read, as the command line says."""
    exit_on_signals()  # before the imports, which take a second
    from source_closeio.kit.entrypoint import launch
    from source_closeio.source import SourceCloseio

    launch(SourceCloseio(), "source-closeio")
