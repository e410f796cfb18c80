"""FullStory's server API on localhost, for tests, the demo and benchmarks. Knows nothing of the connector."""

from simkit.request import Request

from .bulk import BulkEvents
from .bundles import Bundle, bundle_id, epoch
from .exports import Export
from .faults import Fault
from .rows import identity
from .segments import Segment
from .settings import OPTIONAL_TRICKS, REGENERATIONS, TRICKS, Settings
from .simulator import FullStorySimulator
from .world import showcase

__all__ = [
    "OPTIONAL_TRICKS",
    "REGENERATIONS",
    "TRICKS",
    "BulkEvents",
    "Bundle",
    "Export",
    "Fault",
    "FullStorySimulator",
    "Request",
    "Segment",
    "Settings",
    "bundle_id",
    "epoch",
    "identity",
    "showcase",
]
