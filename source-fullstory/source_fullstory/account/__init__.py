"""Streams of the account around the events: lists, settings and their history, sessions, the list of bundles."""
