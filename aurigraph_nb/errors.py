"""Every error that the package raises, in one tree.

The branches say who has to act. Each error is also the built-in that a Python user would catch::

    AurigraphError
    ├── UsageError                you: the call is wrong
    │   ├── BadOption             (ValueError)               an option's value; see also BadOptionType
    │   │   ├── BadOptionType     (TypeError)                an option's type, or an unknown option
    │   │   └── BadUrl            (ValueError)               a URL that no protocol can be told from
    │   ├── Incomplete            (ValueError)               the data have gaps or lack members, and none were allowed
    │   ├── UnknownTopic          (KeyError, AttributeError) a topic that the feed does not have
    │   ├── FeedClosed            (RuntimeError)             use after close()
    │   ├── WrongThread           (RuntimeError)             a waiting call on the thread it waits for
    │   └── MissingExtra          (ImportError)              an optional dependency is not installed
    ├── PeerError                 the server: it refused, or speaks something else
    │   └── ConnectFailed         (ConnectionError)          no retry can help; says why
    │       └── AuthRefused       (PermissionError)          the token, or its absence, was refused
    ├── FeedTimeout               (TimeoutError)             the network, or patience: nothing came in time
    └── FileError                 the disk: a recording
        ├── RecordingError        (OSError)                  it cannot be opened, or written any further
        │   └── RecordingInUse                               somebody else is at it
        └── RecordingCorrupt      (ValueError)               a recording that cannot be read as it stands
            └── RecordingTooNew                              it was written by a newer version

A message says what came, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AurigraphError(Exception):
    """Base of all errors of this package.

    >>> import aurigraph_nb as ag
    >>> try:
    ...     ag.connect("http://127.0.0.1")
    ... except ag.AurigraphError as error:
    ...     type(error).__name__
    'BadUrl'
    """


class UsageError(AurigraphError):
    """The call is wrong; nothing was changed."""


class BadOption(UsageError, ValueError):
    """An option has a value that is not accepted.

    >>> import aurigraph_nb as ag
    >>> ag.simulate(speed=-1)
    Traceback (most recent call last):
    aurigraph_nb.errors.BadOption: speed=-1: expected a number above 0, such as 60, or "max"
    """


class BadOptionType(BadOption, TypeError):
    """An option has a wrong type, or there is no option of that name.

    >>> import aurigraph_nb as ag
    >>> ag.simulate(speed=[60])
    Traceback (most recent call last):
    aurigraph_nb.errors.BadOptionType: speed=[60]: expected a number above 0, such as 60, or "max"
    """


class BadUrl(BadOption):
    """A URL is malformed, or does not tell which protocol it speaks.

    >>> import aurigraph_nb as ag
    >>> ag.connect("ftp://127.0.0.1/ws")
    Traceback (most recent call last):
    aurigraph_nb.errors.BadUrl: ...
    """


class Incomplete(UsageError, ValueError):
    """The data have gaps, or lack members, and the call said that it wants none.

    >>> import pandas as pd
    >>> from aurigraph_nb import analytics
    >>> frame = pd.DataFrame({"id": ["a", "b"], "voting_power": [60.0, 40.0]})
    >>> analytics.nakamoto(frame, active=3, require_complete=True)
    Traceback (most recent call last):
    aurigraph_nb.errors.Incomplete: ...
    """


class UnknownTopic(UsageError, KeyError, AttributeError):
    """The feed has no topic of that name.

    >>> import aurigraph_nb as ag
    >>> feed = ag.sample(duration="5s")
    >>> feed["blocks"]
    Traceback (most recent call last):
    aurigraph_nb.errors.UnknownTopic: ...
    >>> hasattr(feed, "blocks")
    False
    """

    def __str__(self) -> str:
        # KeyError shows the repr of its argument; a sentence should read as one.
        return str(self.args[0]) if self.args else ""


class FeedClosed(UsageError, RuntimeError):
    """The feed was closed. What it stored can still be read; nothing new can come.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> feed.close()
    >>> feed.metrics.wait(1)
    Traceback (most recent call last):
    aurigraph_nb.errors.FeedClosed: ...
    """


class WrongThread(UsageError, RuntimeError):
    """A waiting call was made on the thread that has to deliver what it waits for.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="5s")
    >>> with feed.metrics.on_record(lambda row: feed.join()):  # callbacks are on the thread that join waits for
    ...     feed.join(timeout=30)
    >>> feed.callback_errors.last
    '...: WrongThread: join was called in a callback, ...'
    """


class MissingExtra(UsageError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it.

    >>> import aurigraph_nb as ag
    >>> issubclass(ag.MissingExtra, ImportError)
    True
    >>> raise ag.MissingExtra("to_polars needs Polars: pip install 'aurigraph-nb[scale]'")
    Traceback (most recent call last):
    aurigraph_nb.errors.MissingExtra: to_polars needs Polars: pip install 'aurigraph-nb[scale]'
    """


class PeerError(AurigraphError):
    """The server did something that ends the conversation."""


class ConnectFailed(PeerError, ConnectionError):
    """The connection cannot be made, and trying again would not help.

    >>> import aurigraph_nb as ag
    >>> with ag.Node(token="secret") as node:
    ...     feed = ag.connect(f"{node.url}/ws/metrics")  # without the token
    ...     try:
    ...         feed.metrics.wait(1, timeout=30)
    ...     except ag.ConnectFailed as error:
    ...         isinstance(error, ConnectionError)
    True
    """


class AuthRefused(ConnectFailed, PermissionError):
    """The server refused the token, or wants one.

    >>> import aurigraph_nb as ag
    >>> with ag.Node(token="secret") as node:
    ...     feed = ag.connect(f"{node.url}/ws/metrics", token="wrong")
    ...     feed.metrics.wait(1, timeout=30)
    Traceback (most recent call last):
    aurigraph_nb.errors.AuthRefused: ...
    """


class FeedTimeout(AurigraphError, TimeoutError):
    """Nothing (or not enough) came in the time allowed.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, broadcast=False)
    >>> feed.metrics.wait(1, timeout=0.1)
    Traceback (most recent call last):
    aurigraph_nb.errors.FeedTimeout: metrics: waited 0.1 s for 1 row; 0 of 1 came, ...
    """


class FileError(AurigraphError):
    """Something about a file on disk."""


class RecordingError(FileError, OSError):
    """A recording cannot be opened, or cannot be written any further.

    >>> import aurigraph_nb as ag
    >>> ag.open_recording("not-there")
    Traceback (most recent call last):
    aurigraph_nb.errors.RecordingError: ...
    """


class RecordingInUse(RecordingError):
    """Somebody else is at the recording, or at this part of it.

    >>> import aurigraph_nb as ag
    >>> issubclass(ag.RecordingInUse, (ag.RecordingError, OSError))
    True
    """


class RecordingCorrupt(FileError, ValueError):
    """A recording cannot be read as it stands.

    >>> import aurigraph_nb as ag
    >>> path = ag.sample(duration="5s").save("damaged")
    >>> _ = (path / "recording.json").write_text("{")
    >>> ag.open_recording("damaged")
    Traceback (most recent call last):
    aurigraph_nb.errors.RecordingCorrupt: ...
    """


class RecordingTooNew(RecordingCorrupt):
    """The recording has a newer format than this version can read.

    >>> import aurigraph_nb as ag
    >>> issubclass(ag.RecordingTooNew, ag.RecordingCorrupt)
    True
    """


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question, with a space before it, after the names that are spelt nearly the same; empty if there are none.

    >>> did_you_mean("metric", ["metrics", "network"]), did_you_mean("weather", ["metrics"])
    (' Did you mean metrics?', '')
    """
    lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower()[:100], list(lower), n=3)
    return f" Did you mean {' or '.join(lower[word] for word in close)}?" if close else ""
