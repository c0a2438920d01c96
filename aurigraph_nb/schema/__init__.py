"""What a row is: one frozen record type a topic, and the Arrow schema that follows from it.

A record type is the single definition of its topic's columns: name (with the unit in it), type, nullability, meaning.
:func:`arrow_schema` derives the Arrow schema; stores, frames and recordings all use that. One module a system.
"""

from .base import (
    DECIMAL_LIMIT,
    LOCAL_COLUMNS,
    Category,
    Column,
    Decimal38,
    Json,
    Kind,
    Record,
    Time,
    arrow_schema,
    columns,
)
from .channels import Bandwidth, Message, UserSession
from .fakeai import (
    Cost,
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceMetrics,
    InferenceRecord,
    InferenceRequest,
    KvCache,
    ModelMetrics,
    Queue,
    RateLimit,
    Streaming,
    SystemMetrics,
)
from .live import Block, LiveMetrics, LiveRecord, NetworkSummary, ValidatorSummary
from .portal import Consensus, Metrics, Peer, Transaction, Validator

__all__ = [
    "DECIMAL_LIMIT",
    "LOCAL_COLUMNS",
    "Bandwidth",
    "Block",
    "Category",
    "Column",
    "Consensus",
    "Cost",
    "Decimal38",
    "EndpointLatency",
    "EndpointThroughput",
    "InferenceError",
    "InferenceMetrics",
    "InferenceRecord",
    "InferenceRequest",
    "Json",
    "Kind",
    "KvCache",
    "LiveMetrics",
    "LiveRecord",
    "Message",
    "Metrics",
    "ModelMetrics",
    "NetworkSummary",
    "Peer",
    "Queue",
    "RateLimit",
    "Record",
    "Streaming",
    "SystemMetrics",
    "Time",
    "Transaction",
    "UserSession",
    "Validator",
    "ValidatorSummary",
    "arrow_schema",
    "columns",
]
