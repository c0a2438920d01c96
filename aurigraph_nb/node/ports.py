"""A TCP port that stays ours while nobody listens on it.

A node that is stopped must be able to return on the same port, and meanwhile a client must be *refused*. A bound
socket that does not listen does both on Linux: nobody else is given the port, least of all a client that dials it from
this machine and would otherwise, once in some ten thousand times, be connected to itself.
"""

from __future__ import annotations

import errno
import socket
import sys

from ..errors import BadOption


class Port:
    """An address to listen on.

    :param host: name or address
    :param port: 0: any free one, the same for the life of the object
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.number = port
        self._keeper: socket.socket | None = None

    def listener(self) -> socket.socket:
        """A new bound socket, to be listened on and closed by the caller.

        Raises:
            BadOption: the host is not one of this machine, or the port is not free.
        """
        if self._keeper is None and sys.platform == "linux":
            self._keeper = self._bound()
        return self._bound()

    def release(self) -> None:
        """Give the port up."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _bound(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self.host, self.number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise BadOption(
                f"host={self.host!r} cannot be resolved ({error}); expected one of this machine."
            ) from error
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)  # "localhost" means 127.0.0.1 first
        family, kind, proto, _, address = found[0]
        made = socket.socket(family, kind, proto)
        try:
            if sys.platform != "win32":  # there it would let others steal the port
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
        except OSError as error:
            made.close()
            remedy = "choose another port, or 0 for any free one"
            if error.errno == errno.EADDRNOTAVAIL:
                remedy = "expected an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all"
            raise BadOption(
                f"host={self.host!r}, port={self.number} cannot be listened on ({error.strerror or error}); {remedy}."
            ) from error
        self.number = made.getsockname()[1]
        return made
