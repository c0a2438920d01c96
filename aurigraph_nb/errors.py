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


class AurigraphError(Exception):
    """Base of all errors of this package."""


class UsageError(AurigraphError):
    """The call is wrong; nothing was changed."""


class BadOption(UsageError, ValueError):
    """An option has a value that is not accepted."""


class BadOptionType(BadOption, TypeError):
    """An option has a wrong type, or there is no option of that name."""


class BadUrl(BadOption):
    """A URL is malformed, or does not tell which protocol it speaks."""


class Incomplete(UsageError, ValueError):
    """The data have gaps, or lack members, and the call said that it wants none."""


class UnknownTopic(UsageError, KeyError, AttributeError):
    """The feed has no topic of that name."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument; a sentence should read as one.
        return str(self.args[0]) if self.args else ""


class FeedClosed(UsageError, RuntimeError):
    """The feed was closed. What it stored can still be read; nothing new can come."""


class WrongThread(UsageError, RuntimeError):
    """A waiting call was made on the thread that has to deliver what it waits for."""


class MissingExtra(UsageError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class PeerError(AurigraphError):
    """The server did something that ends the conversation."""


class ConnectFailed(PeerError, ConnectionError):
    """The connection cannot be made, and trying again would not help."""


class AuthRefused(ConnectFailed, PermissionError):
    """The server refused the token, or wants one."""


class FeedTimeout(AurigraphError, TimeoutError):
    """Nothing (or not enough) came in the time allowed."""


class FileError(AurigraphError):
    """Something about a file on disk."""


class RecordingError(FileError, OSError):
    """A recording cannot be opened, or cannot be written any further."""


class RecordingInUse(RecordingError):
    """Somebody else is at the recording, or at this part of it."""


class RecordingCorrupt(FileError, ValueError):
    """A recording cannot be read as it stands."""


class RecordingTooNew(RecordingCorrupt):
    """The recording has a newer format than this version can read."""
