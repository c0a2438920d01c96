"""The numbers that a server gives its frames: which are missing, which came twice, which came late.

Numbers count per connection, from wherever the first frame of the connection stands: what may have been sent before
it is unknown, and a restart at 0 after a reconnect is no fault. Some frames cannot be read, and so their number
neither; they are not missing, and a hole is that much smaller.
"""

from __future__ import annotations

from bisect import bisect_right

from .base import Fault, OrderFault

HOLES_KEPT = 1_000
"""How many separate holes of a connection are remembered. A number from an older one cannot be told from a repeat."""
MARKS_KEPT = 1_000
"""Numbers whose frames are known again."""

LATE_BY = 16
"""Frames after which a 0 that was not seen yet is no longer late, but the first of a new count."""


class SequenceTracker:
    """Follows the numbers of one connection at a time; a new ``conn_epoch`` begins anew.

    :param holes_kept: how many separate holes to remember
    """

    def __init__(self, holes_kept: int = HOLES_KEPT) -> None:
        self.restarts = 0
        """How often a server began to count again without a new connection."""
        self._holes_kept = holes_kept
        self._conn_epoch: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._next: int | None = None
        self._holes: list[tuple[int, int]] = []  # [start, stop) of numbers not seen, ascending
        self._told_from = 0  # below this number, seen and unseen can no longer be told apart
        self._unread = 0
        self._observed = 0
        self._zeros_mark: tuple[object] | None = None
        self._marks: dict[int, object] = {}  # of the newest numbers

    def _connection(self, conn_epoch: int) -> None:
        if conn_epoch != self._conn_epoch:
            self._conn_epoch = conn_epoch
            self._begin()

    def unreadable(self, conn_epoch: int) -> None:
        """A frame came whose number could not be read."""
        self._connection(conn_epoch)
        self._unread += 1

    def observe(self, number: int, *, recv_ns: int, conn_epoch: int, mark: object = None) -> OrderFault | None:
        """Takes the number of a frame (0 or above); gives what is wrong with it, if anything.

        :param mark: something that is equal for equal frames. A number that comes again with another mark is no
            repeat: the server has begun anew. So it has where a 0 is the first one after many frames.
        """
        self._connection(conn_epoch)
        if number == 0:
            self._zero(mark)
        self._observed += 1
        if self._next is None:
            self._next, self._unread = number + 1, 0
            self._leave_out(0, number)
            self._remember(number, mark)
            return None
        if number >= self._next:
            self._remember(number, mark)
            return self._ahead(number, self._next, recv_ns, conn_epoch)
        late = number < self._told_from or self._fill(number)
        if not late and 0 < number < self._next - 1 and self._marks.get(number, mark) != mark:
            self.restarts += 1  # the same number on another frame: the server counts anew, and its 0 was missed
            self._begin()
            self._observed = 1
            self._remember(number, mark)
            self._next = number + 1
            self._leave_out(0, number)
            return None
        self._remember(number, mark)
        return OrderFault(Fault.REORDER if late else Fault.REPEAT, self._next, number, 1, recv_ns, conn_epoch)

    def _remember(self, number: int, mark: object) -> None:
        self._marks[number] = mark
        if len(self._marks) > MARKS_KEPT:
            del self._marks[next(iter(self._marks))]

    def _zero(self, mark: object) -> None:
        """Begins anew if this 0 is no repeat and not late."""
        began = self._next is not None and self._next > 1
        if began and (self._observed >= LATE_BY if self._zeros_mark is None else self._zeros_mark != (mark,)):
            self.restarts += 1
            self._begin()
        self._zeros_mark = self._zeros_mark or (mark,)

    def _ahead(self, number: int, expected: int, recv_ns: int, conn_epoch: int) -> OrderFault | None:
        self._leave_out(expected, number)
        missing = number - expected - self._unread
        self._next, self._unread = number + 1, 0
        return OrderFault(Fault.HOLE, expected, number, missing, recv_ns, conn_epoch) if missing > 0 else None

    def _leave_out(self, start: int, stop: int) -> None:
        if start < stop:
            self._holes.append((start, stop))
        if len(self._holes) > self._holes_kept:
            self._told_from = self._holes.pop(0)[1]

    def _fill(self, number: int) -> bool:
        """Takes ``number`` out of the hole that it is in; False if it is in none."""
        at = bisect_right(self._holes, number, key=lambda hole: hole[0]) - 1
        if at < 0 or self._holes[at][1] <= number:
            return False
        start, stop = self._holes[at]
        self._holes[at : at + 1] = [part for part in ((start, number), (number + 1, stop)) if part[0] < part[1]]
        if len(self._holes) > self._holes_kept:
            self._told_from = self._holes.pop(0)[1]
        return True
