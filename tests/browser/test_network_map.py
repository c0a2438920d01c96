"""The map as a reader uses it: looked at, pointed at, walked with the keyboard, heard, and with a thousand peers."""

from __future__ import annotations

import json

import pytest

from .harness import LabPage, open_page, until

HOSTILE = "<img src=x onerror=window.hacked=1>\u202e<script>window.hacked=1</script>"
CELLS = [
    """import aurigraph_nb as ag
from aurigraph_nb.schema import Peer
from aurigraph_nb.topic import Topic
from aurigraph_nb.widgets import NetworkMap
feed = ag.simulate(seed=7, shape="portal")
plain = ag.simulate(seed=7, shape="server", name="plain")
_ = [f.network.wait(12, timeout=60) for f in (feed, plain)]

class Ours:
    '''A topic of peers in the hands of the test.'''
    def __init__(self, name):
        self.topic = Topic(feed.network.feed, name, Peer, period_s=None, key="peer_id")
        self.topic.opened = True
        self.n = 0
    def put(self, *peers, **fields):
        local = {"recv_ns": 10**18, "conn_epoch": 1, "status": "CONNECTED"}
        self.n += 1
        self.topic.deliver([Peer(**{**local, "n": self.n, "peer_id": peer, **fields}) for peer in peers])
ours, many = Ours("ours"), Ours("many")
ours.put("first", latitude=10.0, longitude=10.0, connection_quality="GOOD", latency_ms=70.0)
for i in range(1000):
    city = [(50.11, 8.68), (1.35, 103.82), (39.04, -77.49), (-33.87, 151.21)][i % 4]
    place = {"latitude": city[0], "longitude": city[1]}
    many.put(f"peer-{i:04}", latency_ms=float(i % 300), connection_quality="FAIR", **place)""",
    "live = NetworkMap(feed)\nlive",
    "rings = NetworkMap(plain)\nrings",
    "small = NetworkMap(ours.topic, height=300)\nsmall",
    "thousand = NetworkMap(many.topic)\nthousand",
]
MARKS = ".ag-map-plot > svg .ag-map-peer:not(.ag-map-gone)"


@pytest.fixture(scope="module")
def shared(lab, chromium):
    """A tab with a map, one without places, one in the hands of the test, and one of a thousand peers."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1200})
    name = lab.write("map.ipynb", CELLS)
    with open_page(lab, context) as tab:
        tab.open(name).run_all(120)
        yield tab
    context.close()
    lab.end_kernels()


@pytest.fixture
def tab(shared):
    assert not shared.cell_errors()
    yield shared
    shared.assert_clean()


def kernel(tab: LabPage, expression: str):
    return json.loads(tab.execute(f"import json; print(json.dumps({expression}))"))


MAPS = {"live": "feed.network", "rings": "plain.network", "small": "ours.topic", "thousand": "many.topic"}


def peers_of(tab: LabPage, name: str):
    """The peers that the map's topic knows now."""
    return kernel(tab, f"sorted({MAPS[name]}.state.current)")


def a_map(tab: LabPage, name: str):
    """A map in sight, with a mark for every peer."""
    index = list(MAPS).index(name)
    box = tab.page.locator(".ag", has=tab.page.locator(".ag-map")).nth(index)
    box.wait_for(state="attached", timeout=30_000)
    box.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
    until(lambda: box.locator(MARKS).count() == len(peers_of(tab, name)), "a mark for every peer")
    return box


def tip(box):
    return box.locator(".ag-map-tip")


def test_peers_stand_on_the_land_with_what_they_are_beside_it(tab):
    box = a_map(tab, "live")
    assert len(box.locator(".ag-map-land").get_attribute("d")) > 20_000
    words = box.locator(".ag-map-side").inner_text()
    for part in ("Health", "Connected", " of ", "Mean latency", " ms", "Received", "GB", "Excellent", "Disconnected"):
        assert part in words, words
    counts = box.locator(".ag-map-count:visible")
    until(lambda: sum(map(int, counts.all_inner_texts())) == len(peers_of(tab, "live")), "a look for every peer")


def test_without_places_there_are_rings_with_their_milliseconds(tab):
    box = a_map(tab, "rings")
    assert box.locator(".ag-map-land").count() == 0
    words = [node.text_content() for node in box.locator(".ag-map-word").all()]
    assert {"50 ms", "100 ms", "150 ms", "300 ms", "over 300 ms", "no latency"} <= set(words)
    assert box.get_by_role("button", name="Map").is_disabled()


def test_the_keyboard_walks_through_the_peers_and_a_reader_hears_them(tab):
    box = a_map(tab, "live")
    box.locator(".ag-map-plot").focus()
    keys, seen = tab.page.keyboard, []
    for _ in peers_of(tab, "live"):
        keys.press("ArrowRight")
        seen.append(tip(box).locator(".ag-map-name").inner_text())
    assert set(seen) <= set(peers_of(tab, "live"))
    assert len(set(seen)) >= len(seen) - 1  # one may have come meanwhile
    said = box.locator(".ag-unseen[role=status]").inner_text()
    assert said.startswith(seen[-1]) and "Latency" in said and "Place" in said
    for label in ("Address", "Place", "Latency", "Version", "Uptime", "Quality"):
        assert label in tip(box).inner_text()
    keys.press("d")
    keys.press("d")
    keys.press("Escape")
    assert not tip(box).is_visible()
    assert box.is_visible(), "no shortcut of JupyterLab removed the cell"


def test_the_pointer_shows_the_nearest_peer_and_nothing_over_the_sea(tab):
    box = a_map(tab, "small")
    mark = box.locator(MARKS).first.bounding_box()
    tab.page.mouse.move(mark["x"] + mark["width"] / 2 + 3, mark["y"] + mark["height"] / 2)
    until(lambda: tip(box).is_visible(), "the details", 5)
    assert "10.00° N, 10.00° E" in tip(box).inner_text()
    tab.execute("ours.put('first', latitude=10.0, longitude=10.0, connection_quality='GOOD', latency_ms=88.0)")
    until(lambda: "88 ms" in tip(box).inner_text() or "88.0 ms" in tip(box).inner_text(), "the newest latency")
    tab.page.mouse.move(mark["x"] + 150, mark["y"])
    until(lambda: not tip(box).is_visible(), "nothing to show", 5)


PULSES = """(node) => { window.pulses = []; new MutationObserver((changes) => changes.forEach((change) =>
    change.addedNodes.forEach((added) => window.pulses.push(added.getAttribute?.("class") ?? ""))
)).observe(node.querySelector(".ag-map-plot > svg"), { childList: true, subtree: true }); }"""


def test_joins_and_leaves_are_seen_and_still_for_who_wants_less_motion(tab):
    box = a_map(tab, "small")
    box.evaluate(PULSES)
    place = "latitude=20.0, longitude=30.0, connection_quality='POOR'"
    tab.execute(f"ours.put('second', {place})")
    until(lambda: box.locator(MARKS).count() == 2, "a second mark")
    pulses = until(lambda: [p for p in tab.page.evaluate("() => window.pulses") if "pulse" in p], "a pulse")
    assert pulses == ["ag-map-pulse ag-map-poor ag-map-in"]
    tab.execute(f"ours.put('second', {place}, **{{'status': 'DISCONNECTED'}})")
    until(lambda: box.locator(f"{MARKS}.ag-map-off").count() == 1, "a cross")
    until(lambda: "ag-map-pulse ag-map-off ag-map-out" in tab.page.evaluate("() => window.pulses"), "a second pulse")
    tab.page.emulate_media(reduced_motion="reduce")
    before = len(tab.page.evaluate("() => window.pulses"))
    tab.execute(f"ours.put('third', 'second', {place})")
    until(lambda: box.locator(MARKS).count() == 3 and box.locator(f"{MARKS}.ag-map-off").count() == 0, "two joins")
    new = tab.page.evaluate("() => window.pulses")[before:]
    assert not [name for name in new if "pulse" in name]
    assert box.locator(MARKS).last.evaluate("(node) => getComputedStyle(node).animationName") == "none"
    tab.execute("with ours.topic.lock: [ours.topic.state.current.remove(key) for key in ('second', 'third')]")
    until(lambda: box.locator(MARKS).count() == 1, "two to go")
    tab.page.emulate_media(reduced_motion="no-preference")


def test_a_table_says_the_same(tab):
    box = a_map(tab, "live")
    table = box.locator(".ag-map-twin table")
    heads = table.locator("thead th[scope=col]").all_text_contents()
    assert heads[:4] == ["Peer", "Status", "Quality", "Latency (ms)"]
    until(
        lambda: (
            sorted(table.locator("tbody th[scope=row]").all_text_contents())
            == kernel(tab, "sorted(feed.network.current)")
        ),
        "their names",
    )
    assert "connected, health" in table.locator("caption").text_content()
    size = box.locator(".ag-map-twin").bounding_box()
    assert (size["width"], size["height"]) == (1, 1)


def test_hostile_words_and_places_are_inert(tab):
    box = a_map(tab, "small")
    tab.execute(
        f"bad = {HOSTILE!r}\n"
        "ours.put(bad, latitude=float('nan'), longitude=1e9, latency_ms=float('nan'), city=bad, country='x' * 10**6, "
        "connection_quality='ag-map-off\" onload=1', version='v' * 10**6, status='<b>')"
    )
    until(lambda: box.locator(MARKS).count() == 2, "the hostile peer")
    box.locator(".ag-map-plot").focus()
    tab.page.keyboard.press("End")
    tab.page.keyboard.press("Home")
    until(lambda: "<img src=x" in tip(box).inner_text(), "its details", 5)
    until(lambda: "<img src=x" in box.locator(".ag-map-twin").text_content(), "its row", 5)
    assert "Location not told" in box.locator(".ag-map-plot").inner_text()
    assert box.locator("img, script").count() == 0
    assert tab.page.evaluate("() => window.hacked") is None
    assert tip(box).bounding_box()["width"] <= 330
    tab.page.keyboard.press("Escape")
    tab.execute("with ours.topic.lock: ours.topic.state.current.remove(bad)")
    until(lambda: box.locator(MARKS).count() == 1, "it to go")


FRAMES = """() => new Promise((done) => {
    const times = [performance.now()];
    const next = (now) => {
        times.push(now);
        if (now - times[0] < 3000) requestAnimationFrame(next);
        else done(times.length);
    };
    requestAnimationFrame(next);
})"""
CHANGES = """import threading
def change():
    pause = threading.Event()
    for turn in range(40):
        for i in range(turn * 20, turn * 20 + 20):
            city = [(50.11, 8.68), (1.35, 103.82), (39.04, -77.49), (-33.87, 151.21)][i % 4]
            many.put(f"peer-{i:04}", latitude=city[0], longitude=city[1], latency_ms=float(turn),
                     connection_quality=["GOOD", "POOR"][turn % 2], status=["CONNECTED", "DISCONNECTED"][turn % 3 == 0])
        pause.wait(0.1)
changing = threading.Thread(target=change); changing.start()"""


def test_a_thousand_peers_stay_smooth_and_only_what_changed_travels(tab):
    box = a_map(tab, "thousand")
    until(lambda: box.locator(".ag-map-twin tbody tr").count() == 1000, "the whole table")
    nodes = box.evaluate("(node) => node.querySelectorAll('*').length")
    sent, size, snapshots = kernel(tab, "[thousand.flow.sent, thousand.flow.bytes, thousand.flow.snapshots]")
    tab.execute(CHANGES)
    frames = tab.page.evaluate(FRAMES)
    until(lambda: not kernel(tab, "changing.is_alive()"), "the changes", 30)
    until(lambda: kernel(tab, "thousand.flow.unacknowledged") == 0, "the last of them")
    after = kernel(tab, "[thousand.flow.sent, thousand.flow.bytes, thousand.flow.snapshots]")
    assert frames >= 45, f"{frames} frames in 3 s"
    assert after[2] == snapshots
    assert after[0] > sent
    assert (after[1] - size) / (after[0] - sent) <= 20_000
    until(
        lambda: abs(box.evaluate("(node) => node.querySelectorAll('*').length") - nodes) < 20, "as many nodes as before"
    )


def test_traffic_of_the_usual_feed_is_small(tab):
    a_map(tab, "live")
    moment = "(__import__('time').monotonic(), live.flow.sent, live.flow.bytes)"
    began, sent, size = kernel(tab, moment)
    until(lambda: kernel(tab, "live.flow.sent") >= sent + 6, "six messages", 40, 0.5)
    ended, sent_after, size_after = kernel(tab, moment)
    assert (sent_after - sent) / (ended - began) <= 10
    assert (size_after - size) / (ended - began) <= 20_000


def test_the_layout_that_a_reader_chose_survives_a_reload(tab):
    box = a_map(tab, "live")
    box.get_by_role("button", name="Rings").click()
    until(lambda: box.locator(".ag-map-ring").count() == 6, "the rings", 5)
    assert box.get_by_role("button", name="Rings").get_attribute("aria-pressed") == "true"
    until(lambda: kernel(tab, "live._ui") == {"layout": "radial"}, "Python to know", 5)
    tab.save()
    tab.reload()
    box = a_map(tab, "live")
    until(lambda: box.locator(".ag-map-ring").count() == 6, "the rings again", 10)
    box.get_by_role("button", name="Map").click()
    until(lambda: box.locator(".ag-map-land").count() == 1, "the land", 5)


@pytest.mark.parametrize("width", [800, pytest.param(1400, marks=pytest.mark.long)])
def test_nothing_is_cut_off_in_a_narrow_room(tab, width):
    tab.page.set_viewport_size({"width": width, "height": 1200})
    box = a_map(tab, "live")
    until(
        lambda: box.evaluate(
            "(node) => node.querySelector('.ag-map-plot > svg').clientWidth <= node.clientWidth"
            " && node.scrollWidth <= node.clientWidth + 1"
        ),
        "room for all",
    )
    room = box.locator(".ag-map-plot").bounding_box()

    def inside():
        marks = [mark.bounding_box() for mark in box.locator(MARKS).all()]
        return all(room["x"] - 1 <= m["x"] and m["x"] + m["width"] <= room["x"] + room["width"] + 1 for m in marks)

    until(inside, "every mark to be inside", 5)
