"""What a notebook shows of a recording."""

import msgspec
import pytest

from aurigraph_nb import recorder as recorders
from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.recorder import Progress

NOW = Progress(
    running=True,
    path="/data/<b>monday</b>",
    frames=12_345,
    rows=23_456,
    bytes=7_000_000,
    frame_bytes=9_000_000,
    rate_hz=1234.5,
    waiting=3,
    lost=0,
    gaps=2,
    segments=3,
    unsealed=0,
    free_bytes=79_090_970_624,
    elapsed_s=10.0,
    error=None,
    sealing_error=None,
)


class FakeRecorder:
    def __init__(self, feed, **changes):
        self.feed = feed
        self.now = msgspec.structs.replace(NOW, **changes)

    def progress(self):
        return self.now


def shown(message):
    return {item["label"]: item["text"] for item in message["items"]}


def test_a_recording_is_shown_in_figures(desk, feed):
    page = desk.open(widgets.RecorderView(FakeRecorder(feed)))
    assert shown(page.one()) == {
        "Frames": "12,345",
        "State": "RECORDING",
        "Rows": "23,456",
        "Rate": "1.23k/s",
        "Journal": "7.0 MB",
        "Free disk": "79.1 GB",
        "Gaps": "2",
        "Lost": "0",
        "Into": "/data/<b>monday</b>",
    }


def test_it_follows_and_is_still_when_nothing_changes(desk, feed):
    recorder = FakeRecorder(feed)
    page = desk.open(widgets.RecorderView(recorder))
    page.take()
    assert page.take(3) == []
    recorder.now = msgspec.structs.replace(NOW, frames=12_346, unsealed=2)
    texts = shown(page.one(1))
    assert (texts["Frames"], texts["To be sealed"]) == ("12,346", "2")


@pytest.mark.parametrize("error, state", [(None, "ENDED"), ("Cannot write: the disk is full.", "FAILED")])
def test_an_end_is_told_with_its_reason(desk, feed, error, state):
    recorder = FakeRecorder(feed, running=False, error=error, sealing_error=error)
    texts = shown(desk.open(widgets.RecorderView(recorder)).one())
    assert texts["State"] == state and texts.get("Error") == error == texts.get("Not sealed")


def test_its_repr_says_no_figures(desk, feed):
    assert repr(widgets.RecorderView(FakeRecorder(feed))) == "RecorderView(recorder)"


def test_only_recorders_are_taken(desk, feed):
    with pytest.raises(BadOptionType, match="needs a recorder"):
        widgets.RecorderView(feed)
    with pytest.raises(BadOptionType, match="no option 'size'"):
        widgets.RecorderView(FakeRecorder(feed), size=3)


def test_a_notebook_shows_a_recorder_as_this_widget_and_always_the_same(desk, feed):
    recorder = object.__new__(recorders.Recorder)
    recorder._widget, recorder._feed, recorder.progress = None, feed, lambda: NOW
    first = recorder._repr_mimebundle_()
    data = first[0] if isinstance(first, tuple) else first
    assert "application/vnd.jupyter.widget-view+json" in data and "RecorderView(recorder)" in str(data)
    again = recorder._repr_mimebundle_()
    assert again == first
