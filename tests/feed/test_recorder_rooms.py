"""The rooms of a recorder, each by itself: the queue that counts its losses, the sealing, the watch of the clock."""

import logging
import threading

import pytest

from aurigraph_nb.errors import RecordingCorrupt, RecordingError
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.intake import Counting
from aurigraph_nb.protocols import Frame
from aurigraph_nb.recorder.copying import Copying
from aurigraph_nb.recorder.inbox import MAX_FRAME_BYTES, Inbox, Mark, Stop
from aurigraph_nb.recorder.sealing import Sealing
from aurigraph_nb.recorder.steps import StepWatch
from aurigraph_nb.recorder.writer import head_at
from aurigraph_nb.recording.lines import Closed, Count, GapBegins, GapEnds, Head, Opened, Statistics


def frames(first, count, endpoint="metrics", size=10):
    return [Frame(b"x" * size, True, n, 1, endpoint) for n in range(first, first + count)]


class Feed:
    """What an inbox asks of a feed."""

    def __init__(self):
        self.n = 0

    def counting(self):
        return Counting({"metrics": self.n}, ("network",), (), {"metrics": 1})

    def inbox(self, topics=None, **options):
        self.box = Inbox(
            topics or {"metrics": ["metrics"], "network": ["network"]},
            endpoint_of=lambda topic: topic,
            counting=self.counting,
            now_ns=lambda: self.n,
            **options,
        )
        return self.box

    def bring(self, count, **options):
        """As an intake does: the tap first, then the counting goes on."""
        self.box.frames(frames(self.n, count, **options))
        self.n += count


def drain(box):
    found = []
    while (item := box.take(0)) is not None:
        found.append(item)
    return found


def test_what_comes_is_given_in_its_order_and_nothing_of_others():
    feed = Feed()
    box = feed.inbox({"metrics": ["metrics"]})
    box.line(Opened(0, "metrics", 1))
    feed.bring(3)
    box.frames(frames(0, 2, "network"))
    box.line(Closed(0, "network", 1))
    box.line(GapEnds(0, "network", "idle", 5))
    star = GapBegins(0, Gap("*", Cause.IDLE, Certainty.NONE, 0, 1))
    box.line(star)
    box.mark()
    box.stop(9)
    box.frames(frames(7, 1))
    found = drain(box)
    assert found[:2] == [Opened(0, "metrics", 1), tuple(frames(0, 3))]
    assert found[2:] == [star, Mark(3, feed.counting()), Stop(9)]
    assert (box.waiting, box.lost) == (0, 0)


def test_the_newest_frames_are_left_out_and_the_counting_is_told_when_there_is_room_again():
    feed = Feed()
    box = feed.inbox(max_lines=10)
    feed.bring(8)
    feed.bring(5)  # two of them fit
    feed.bring(4)
    assert (box.waiting, box.lost) == (10, 7)
    assert drain(box) == [tuple(frames(0, 8)), tuple(frames(8, 2))]
    feed.bring(1)
    gap, count, last = drain(box)
    assert gap == GapBegins(
        17, Gap("*", Cause.CLIENT_OVERFLOW, Certainty.KNOWN, 10, 16, 7, 1, gap.gap.detail), marks=False
    )
    assert count == Count(17, {"metrics": 17}, ("metrics", "network"))
    assert last == tuple(frames(17, 1)) and box.gaps == 1


def test_it_goes_on_only_when_half_of_it_is_free():
    feed = Feed()
    box = feed.inbox(max_lines=10)
    feed.bring(6)
    feed.bring(6)
    box.take(0)  # six of ten are gone
    feed.bring(1)
    assert [type(item).__name__ for item in drain(box)] == ["tuple", "GapBegins", "Count", "tuple"]
    feed.bring(4)
    feed.bring(4)
    feed.bring(9)
    box.take(0)
    box.take(0)
    feed.bring(1)
    assert box.lost == 2 + 7


def test_its_bytes_are_bounded_too():
    feed = Feed()
    box = feed.inbox(max_bytes=10_000)
    feed.bring(20, size=1_000)
    assert 0 < box.waiting < 10 and box.lost == 20 - box.waiting
    drain(box)
    feed.bring(1)
    assert box.waiting == 3  # the gap, the counting, the frame


def test_a_loss_at_the_end_is_told_before_the_end():
    feed = Feed()
    box = feed.inbox(max_lines=2)
    feed.bring(5)
    box.stop(5)
    assert [type(item).__name__ for item in drain(box)] == ["tuple", "GapBegins", "Count", "Stop"]


def test_other_lines_find_room_when_frames_do_not_but_not_without_end():
    feed = Feed()
    box = feed.inbox(max_lines=4)
    feed.bring(6)
    box.line(Statistics(0, "{}"))
    assert box.lost == 3
    for _ in range(10):
        box.line(Opened(0, "metrics", 1))
    assert (box.waiting, box.lost) == (8, 9)


def test_a_frame_larger_than_any_journal_takes_is_left_out():
    feed = Feed()
    box = feed.inbox()
    box.frames([Frame(bytes(MAX_FRAME_BYTES + 1), True, 0, 1, "metrics")])
    feed.bring(1)
    gap = drain(box)[0].gap
    assert gap.frames == 1 and "40 MiB" in gap.detail


def test_who_waits_for_a_flush_is_let_go_when_all_is_abandoned():
    feed = Feed()
    box = feed.inbox()
    feed.bring(3)
    waiting = box.ask_flush()
    assert not waiting.is_set()
    assert box.abandon() == 3 == box.lost
    feed.bring(1)
    assert waiting.is_set() and box.take(0) is None and box.ask_flush().is_set()


def test_a_small_difference_of_two_clocks_is_no_step():
    wall, steady = [10**18], [0]
    watch = StepWatch(lambda: wall[0], lambda: steady[0])
    for ahead in (900_000_000, 1_800_000_000):  # by less than a second each
        wall[0], steady[0] = 10**18 + ahead + 10**10, 10**10
        assert watch.look() is None
    wall[0] -= 5 * 10**9
    assert watch.look() == (10**18 + 1_800_000_000 + 10**10, wall[0])
    assert watch.look() is None


def test_a_head_says_all_that_a_reader_has_to_know_to_begin_there():
    gap = Gap("network", Cause.DISCONNECT, Certainty.UNKNOWN, 3)
    like = Head(v=1, recorder="r", segment=1, t=0, protocol="portal", url="ws://h", topics=("metrics",), first=True)
    counting = Counting({"metrics": 5}, ("network",), (gap,), {"metrics": 2})
    head = head_at(like, 9, counting, segment=2, first=False)
    assert (head.ledger, head.marks, head.open, head.up) == ({"metrics": 5}, ("network",), (gap,), {"metrics": 2})
    assert (head.segment, head.t, head.first, head.recorder) == (2, 9, False, "r")


class Desk:
    """A sealing thread whose work fails as often as the test says."""

    def __init__(self, failures=0, copy_failures=0):
        self.done, self.ended = [], threading.Event()
        self.failures, self.copy_failures = failures, copy_failures
        self.failed = threading.Semaphore(0)
        self.url, self.copied_files, self.waiting = "far://away", 0, 0
        self.sealing = Sealing(
            "test",
            seal=self.seal,
            copying=Copying(self, None, ("test",)),
            last_words=lambda: self.done.append("end"),
            on_end=self.ended.set,
        )

    def seal(self, number):
        if self.failures:
            self.failures -= 1
            self.failed.release()
            raise RecordingError("the disk is full")
        self.done.append(number)

    def stop(self):
        """As a mirror's."""

    def sync(self, directory, recorder):
        if self.copy_failures:
            self.copy_failures -= 1
            self.failed.release()
            raise OSError("no network")
        self.done.append("copy")

    def finish(self):
        self.sealing.finish()
        assert self.ended.wait(10)
        self.sealing.join(10)


def test_segments_are_sealed_in_order_and_copied_when_none_waits():
    desk = Desk()
    desk.sealing.put(1)
    desk.sealing.put(2)
    desk.sealing.start()
    desk.finish()
    assert desk.done[:2] == [1, 2] and desk.done[-2:] == ["end", "copy"]
    assert (desk.sealing.backlog, desk.sealing.error) == (0, None)


@pytest.mark.parametrize("failures, done", [(1, [1, 2, "end", "copy"]), (9, ["end", "copy"])])
def test_what_could_not_be_sealed_is_tried_again_and_never_skipped(failures, done, caplog):
    desk = Desk(failures)
    desk.sealing.put(1)
    desk.sealing.put(2)
    with caplog.at_level(logging.WARNING, "aurigraph_nb"):
        desk.sealing.start()
        assert desk.failed.acquire(timeout=10)
        assert desk.sealing.backlog == 2
        desk.finish()
    assert [word for word in desk.done if word != "copy"] + ["copy"] == done
    assert (desk.sealing.error is None) is (failures == 1) and "the disk is full" in caplog.text


def test_a_mirror_that_fails_holds_up_no_sealing():
    desk = Desk(copy_failures=100)
    desk.sealing.put(1)
    desk.sealing.start()
    assert desk.failed.acquire(timeout=10)
    desk.finish()
    assert desk.done == [1, "end"] and "no network" in desk.sealing.error


class Slow:
    """A mirror that takes a file every now and then."""

    url, waiting = "far://away", 1

    def __init__(self, files, every_s):
        self.copied_files, self.files, self.every_s = 0, files, every_s
        self.stopped = threading.Event()

    def stop(self):
        self.stopped.set()

    def sync(self, directory, recorder):
        while self.copied_files < self.files and not self.stopped.wait(self.every_s):
            self.copied_files += 1


def finished(mirror, **limits):
    copying = Copying(mirror, None, ("test",), **limits)
    copying.start()
    copying.finish()
    return copying.error


def test_a_slow_mirror_has_its_time_as_long_as_it_takes_files():
    mirror = Slow(files=10, every_s=0.2)
    assert finished(mirror, patience_s=1.5, most_s=60) is None
    assert mirror.copied_files == 10 and not mirror.stopped.is_set()


def test_a_mirror_is_let_go_when_it_takes_no_file_and_after_a_while_in_any_case():
    for mirror, limits in (
        (Slow(files=10, every_s=60), {"patience_s": 0.2, "most_s": 60}),
        (Slow(files=10_000, every_s=0.01), {"patience_s": 60, "most_s": 0.3}),
    ):
        assert "far://away did not take everything in time" in finished(mirror, **limits)
        assert mirror.stopped.is_set()


def test_that_a_mirror_was_let_go_stays_told_although_its_last_attempt_ends_well_after_that():
    mirror = Slow(files=1, every_s=60)
    copying = Copying(mirror, None, ("test",), patience_s=0.05, most_s=60)
    copying.start()
    copying.finish()
    copying.join(10)
    assert not copying.is_alive() and "did not take everything" in copying.error


class Picky(Slow):
    """A mirror that refuses what some recorders left."""

    def __init__(self, **refused):
        super().__init__(0, 0)
        self.refused, self.asked = refused, []

    def sync(self, directory, recorder):
        self.asked.append(recorder)
        if recorder in self.refused:
            raise self.refused[recorder]


def test_what_cannot_be_copied_of_an_earlier_recorder_holds_up_nobodys_copy():
    mirror = Picky(broken=RecordingCorrupt("it is damaged"), late=RecordingError("no network"))
    copying = Copying(mirror, None, ("broken", "late", "whole", "own"))
    copying.copy()
    copying.start()
    copying.finish()
    assert mirror.asked[:4] == ["broken", "late", "whole", "own"] and mirror.asked[4:] in ([], ["late", "own"])
    assert copying.error == "no network"
