"""The subscriber sessions that are on."""

from __future__ import annotations

from typing import Any

from aurigraph_nb.schema import UserSession

from .base import refuse_unknown
from .flow import DEFAULT_RATE_HZ
from .rows import StateRows, TableColumn
from .sources import of_either
from .tables import BaseTable

MARKED_MS = 2_000
"""How long a changed session is marked, and one that has ended stays, in milliseconds."""


class SessionTable(BaseTable):
    """The subscriber sessions, longest first. Takes a feed of the channel provider, or its sessions topic.

    New sessions fade in, changed ones are marked for two seconds, ended ones are struck through for two seconds and
    then go; nothing of that for readers who asked their system for less motion. ``height`` in pixels; ``rate_hz``: most
    updates a second; ``when_offline="simulate"``: made-up data, labelled as such, while the feed is disconnected.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="channels", seed=7)
    >>> ag.SessionTable(feed)
    SessionTable(sessions)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        height: int = 320,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "sessions", UserSession)
        self._build(
            source,
            StateRows(lambda: self._topic.state.current, source.topic.lock),
            _COLUMNS,
            title="Sessions",
            height=height,
            rate_hz=rate_hz,
            more={"sort": {"column": _TIME, "down": True}, "row_mark_ms": MARKED_MS},
            when_offline=when_offline,
        )

    def _caption(self) -> dict[str, Any]:
        count = len(self._topic.state.current)
        return {"text": f"{count:,} on"} if count else {}


def _megabytes(field: str, label: str) -> TableColumn:
    return TableColumn(field=field, label=label, kind="number", unit="MB", scale=1e-6, digits=1, width=15)


_COLUMNS = (
    TableColumn(field="username", label="User", width=18),
    TableColumn(field="session_id", label="Session", kind="mono", width=18),
    TableColumn(field="ip_address", label="IP", kind="mono", width=18, firm=True),
    TableColumn(field="nas_ip_address", label="NAS IP", kind="mono", width=18, firm=True, optional=True),
    _megabytes("upload_bytes", "Upload"),
    _megabytes("download_bytes", "Download"),
    TableColumn(field="session_time_s", label="Time", kind="number", unit="min", scale=1 / 60, digits=1, width=13),
    TableColumn(field="last_update", label="Last update", kind="time", unit="UTC", digits=0, width=17, optional=True),
)
_TIME = next(i for i, column in enumerate(_COLUMNS) if column.field == "session_time_s")
