"""The local node: a seeded model of an Aurigraph network behind a real server, so that everything works offline."""

from .facade import Node
from .options import Cors
from .quirks import QUIRKS
from .scenarios import SCENARIOS
from .server import NodeServer
from .stats import NodeStats
from .truth import Fate, Incident, Round, Truth

__all__ = ["QUIRKS", "SCENARIOS", "Cors", "Fate", "Incident", "Node", "NodeServer", "NodeStats", "Round", "Truth"]
