"""Streams of events and people: bundles and segment exports, and which spans of time were read."""
