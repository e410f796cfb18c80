"""What the event log tells all streams: what changed, moved and was deleted outside of their windows. What it is as a
stream of its own stands in families/."""
