"""From bytes to rows: parsing, spelling, keys, and what the user excludes. Nothing here sends a request."""
