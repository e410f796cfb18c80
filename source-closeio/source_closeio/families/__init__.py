"""How each kind of stream is read: the base classes of streams.py, one kind a module."""
