"""The errors of an inference server: how many of which severity, and the newest of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.schema import InferenceError

from .assets import script, style
from .base import LiveWidget, Message, checked_height, refuse_unknown
from .cells import Cell, milliseconds, text
from .flow import DEFAULT_RATE_HZ
from .sources import of_either

_SIGNS = {"critical": "error", "high": "error", "medium": "warning"}


class ErrorMonitor(LiveWidget):
    """The newest errors with their counts by severity, which filter, and a button that clears.

    Takes a feed of the inference stream, or its errors topic. ``on_error`` is called with every new error, whatever the
    widget shows, on the callback thread, as ``feed.errors.on_record`` does. The button is ``feed.errors.clear()``: the
    stored rows stay. ``height`` in pixels; ``rate_hz``: most updates a second; ``when_offline="simulate"``:
    made-up data, labelled as such and not given to ``on_error``, while the feed is disconnected.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7)
    >>> ag.ErrorMonitor(feed)
    ErrorMonitor(errors)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
        FeedClosed: ``on_error`` was given for a closed feed.
    """

    _esm = script("log")
    _css = style("log")

    def __init__(
        self,
        feed: object,
        *,
        on_error: Callable[[InferenceError], object] | None = None,
        height: int = 240,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        if on_error is not None and not callable(on_error):
            raise BadOptionType(f"on_error={on_error!r}: something callable was expected, such as lambda error: …")
        source = of_either(type(self).__name__, feed, "errors", InferenceError)
        self._version: int | None = None  # of the state
        self._mark = 0  # version of its rows
        self._clear_wanted = False
        setup = {
            "title": "Errors",
            "height": checked_height(height),
            "keep": source.topic.state.current.limit,
            "clear": "Clear the list of errors",
            "none": "No errors yet",
        }
        super().__init__(source, setup=setup, rate_hz=rate_hz, when_offline=when_offline)
        self._subscription = None if on_error is None else source.topic.on_record(on_error)

    def close(self) -> None:
        """Remove the widget from the page and end the callback; the feed goes on. Closing twice is harmless."""
        subscription = getattr(self, "_subscription", None)
        if subscription is not None:
            subscription.close()
        super().close()

    def _news(self, now: float) -> bool:
        return bool(self._topic.state.version != self._version)

    def _snapshot(self, now: float) -> Message:
        return self._message(everything=True)

    def _delta(self, now: float) -> Message:
        return self._message(everything=False)

    def _message(self, *, everything: bool) -> Message:
        topic = self._topic
        with topic.lock:
            state = topic.state
            changes = state.current.changed_since(0 if everything else self._mark)
            self._mark, self._version, counts, total = changes.version, state.version, state.counts, state.total
        body: dict[str, Any] = {
            "events": [_entry(ordinal, error) for ordinal, error in changes.changed],
            "counts": {text(severity, 64): n for severity, n in counts.items()},
            "total": total,
        }
        if everything or changes.reset:
            body["reset"] = True
        return Message(body)

    # ---- the button

    def _request(self, kind: str) -> None:
        if kind == "clear":
            self._clear_wanted = True

    def _serve(self) -> None:
        with self._guard:
            wanted, self._clear_wanted = self._clear_wanted, False
        if wanted:
            topic = self._topic
            with topic.lock:
                topic.state.clear()


def _entry(ordinal: int, error: InferenceError) -> list[Cell]:
    """An error as the log gets it: number, time in ms, severity, sign, words."""
    at_ns = error.recv_ns if error.timestamp is None else error.timestamp
    severity = "unknown" if error.severity is None else text(error.severity, 64)
    told = (error.error_type, error.error_message, error.model)
    kind, message, model = (None if part is None else text(part, 300) for part in told)
    words = ": ".join(part for part in (kind, message) if part) or "no words"
    place = f" ({model})" if model else ""
    return [ordinal, milliseconds(at_ns), severity, _SIGNS.get(severity, "info"), words + place]
