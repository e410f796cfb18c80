"""Walks through a list or a search that lose no row while it changes, and the windows of time that they walk in."""
