"""The systems that a node speaks beside the topic streams: live stream, channel provider, inference metrics stream."""

from . import channels, live
from .base import Emission, Heard, System, Talk, Talks
from .stage import Stage

FAKEAI_PATH = "/metrics/stream"
PATHS = {"live": live.PATH, "channels": channels.PATH, "fakeai": FAKEAI_PATH}
"""Where each system is."""

__all__ = ["FAKEAI_PATH", "PATHS", "Emission", "Heard", "Stage", "System", "Talk", "Talks"]
