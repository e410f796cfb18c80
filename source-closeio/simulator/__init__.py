"""A Close API on localhost that behaves like the real one, for tests, the demo and benchmarks."""

from .faults import Fault
from .request import Request
from .settings import Settings
from .simulator import CloseSimulator
from .store import Collection

__all__ = ["CloseSimulator", "Collection", "Fault", "Request", "Settings"]
