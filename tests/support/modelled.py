"""Rows of the modelled network at once: the model, the wire and the decoder in one thread, without a socket."""

from __future__ import annotations

import functools

import pandas as pd

from aurigraph_nb import frames
from aurigraph_nb.columns import records_to_table
from aurigraph_nb.node.events import ServingEvent
from aurigraph_nb.node.model import Model, ModelOptions
from aurigraph_nb.node.truth import Truth
from aurigraph_nb.node.wire import Wire
from aurigraph_nb.protocols import PROTOCOLS
from aurigraph_nb.protocols.base import Frame, Ledger

START_NS = 1_767_225_600_000_000_000
"""2026-01-01 00:00 UTC."""


@functools.lru_cache(maxsize=64)
def modelled(
    scenario: str = "steady", seed: int = 0, duration_s: float = 200.0, shape: str = "server"
) -> tuple[dict[str, pd.DataFrame], Truth]:
    """The frames of a run by topic, as ``topic.to_pandas()`` gives them, and what really happened."""
    model = Model(ModelOptions(seed=seed, scenario=scenario, duration_s=duration_s), START_NS)
    wire, protocol = Wire(shape), PROTOCOLS["portal"]
    sent: list[Frame] = []
    while model.next_ns is not None:
        for event in model.take(START_NS + round(duration_s * 1e9)):
            if not isinstance(event, ServingEvent):
                sent.append(Frame(wire.encode(event), True, event.time_ns, 1, event.topic))
    rows = protocol.decoder(Ledger()).decode(sent).rows
    return {
        topic: frames.to_pandas(records_to_table(record, rows.get(topic, [])))
        for topic, record in protocol.topics.items()
    }, model.truth
