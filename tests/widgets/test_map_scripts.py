"""What the map's script decides, run by node where there is one: land, projection, seats, rings, looks, words."""

import json
import math
import re

import pytest

from aurigraph_nb.widgets import assets
from aurigraph_nb.widgets.map_rows import FIELDS

from .test_assets import colours, contrast, mixed, rgb
from .test_scripts import NODE, run

needs_node = pytest.mark.skipif(NODE is None, reason="needs node")
PARTS = assets._PARTS["network_map"]

PEERS = f"""
const fields = {json.dumps(FIELDS)};
const aPeer = (more) => ({{ ...Object.fromEntries(fields.map((name) => [name, null])), key: "p", ...more }});
const row = (more) => {{ const peer = aPeer(more); return fields.map((name) => peer[name]); }};
const state = (ui) => ({{ _setup: {{ fields }}, _ui: ui }});
const facts = {{ layout: "geo", health: "HEALTHY", connected: 1, total: 1, figures: [] }};
const message = (rows, more) => ({{ rows, ...facts, ...more }});
"""


# ---- sizes and safety, without node


def test_the_script_and_its_style_keep_to_the_budget():
    assert len((assets.script("network_map") + assets.style("network_map")).encode()) <= assets.MAX_SCRIPT_BYTES
    assert len(assets._read("land.js").encode()) <= 20_000


def test_the_outline_tells_its_origin_and_licence():
    head = assets._read("land.js").split("const LAND")[0]
    assert "Natural Earth" in head and "public domain" in head


@pytest.mark.parametrize("part", PARTS)
def test_no_part_writes_markup_or_a_text_over_lines(part):
    source = assets._read(f"{part}.js")
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|cssText|setAttribute\(.style", source)
    assert not [line for line in source.splitlines() if line.count("`") % 2]
    assert "/*" not in source


def test_motion_stops_for_those_who_ask_for_it():
    css = assets._read("network_map.css")
    calm = css[css.index("prefers-reduced-motion: reduce") :]
    moving = re.findall(r"^(.+?) \{[^}]*(?:animation|transition):", css[: css.index("@media")], re.MULTILINE)
    stopped = set(re.findall(r"\.ag-map-[\w-]+", calm))
    assert moving
    assert all(set(re.findall(r"\.ag-map-[\w-]+", rule)) & (stopped | {".ag-map-in", ".ag-map-out"}) for rule in moving)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("edge", ["good", "fine", "wait", "bad", "soft", "text"])
def test_the_edge_of_every_mark_stands_out_from_sea_and_land(theme, edge):
    palette = colours(theme)
    card = palette["--ag-card"]
    sea, land = mixed(palette["--ag-accent"], 0.05, card), mixed(palette["--ag-text"], 0.13, card)
    assert min(contrast(rgb(palette[f"--ag-{edge}"]), ground) for ground in (sea, land)) >= 3


# ---- land and projection


@pytest.fixture(scope="module")
def rings():
    return run("network_map", "return unfoldLand();")


def inside(rings, latitude, longitude):
    """Whether a place is on land: how often a line from it to the east crosses a coast."""
    crossings = 0
    for ring in rings:
        for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True):
            if (y1 > latitude) != (y2 > latitude) and longitude < x1 + (latitude - y1) / (y2 - y1) * (x2 - x1):
                crossings += 1
    return crossings % 2 == 1


@needs_node
def test_land_is_where_land_is(rings):
    land = [(50.1, 8.7), (39.0, -98.0), (-23.5, -47.0), (0.0, 25.0), (-25.0, 134.0), (65.0, 100.0), (66.5, -178.0)]
    land += [(-80.0, 0.0), (-85.0, 170.0)]
    sea = [(0.0, -30.0), (40.0, -40.0), (30.0, -160.0), (-20.0, 80.0), (-50.0, 0.0), (70.0, 0.0), (-17.0, 0.0)]
    assert [inside(rings, *place) for place in land] == [True] * len(land)
    assert [inside(rings, *place) for place in sea] == [False] * len(sea)


@needs_node
def test_land_is_on_the_globe_and_no_coast_crosses_the_map(rings):
    assert all(abs(x) <= 180 and abs(y) <= 90 for ring in rings for x, y in ring)
    jumps = [
        (a, b)
        for ring in rings
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
        if abs(a[0] - b[0]) > 180 and max(a[1], b[1]) > -90
    ]
    assert jumps == []


@needs_node
def test_the_projection_agrees_with_the_published_values():
    points = run(
        "network_map", "return [[0, 0], [180, 0], [0, 90], [180, 90], [-90, -45]].map(([x, y]) => project(x, y));"
    )
    # Of the paper: the equator is 0.8707 * 2π long, the poles are lines, the map 0.52 as high as wide.
    assert points[0] == [0, 0]
    assert points[1][0] == pytest.approx(0.8707 * math.pi)
    assert points[2][1] / points[1][0] == pytest.approx(0.52, abs=0.005)
    assert 0.5 < points[3][0] / points[1][0] < 0.6
    assert points[4][0] < 0 and points[4][1] < 0


@needs_node
def test_a_map_fills_its_room_and_shows_the_poles_only_when_somebody_is_there():
    inhabited, whole = run(
        "network_map",
        """
        return [false, true].map((all) => {
          const f = mapFrame(1000, 400, all);
          return [f.at(-180, 0), f.at(180, 0), f.at(0, f.north), f.at(0, f.south)];
        });
        """,
    )
    for west, east, north, south in (inhabited, whole):
        assert west[0] >= -0.01 and east[0] <= 1000.01
        assert (north[1], south[1]) == pytest.approx((0, 400))
    assert inhabited[1][0] > whole[1][0]
    assert run("network_map", "return [-78, 0, 84, 90].map(isBeyond);") == [True, False, False, True]


# ---- seats

MANY = """
const seatAll = (ground, seats, peers) => peers.map((p) => { const {x, y} = ground.seat(seats, p); return [x, y]; });
const closest = (points) => {
  let least = Infinity;
  for (let i = 0; i < points.length; i += 1) for (let j = 0; j < i; j += 1) {
    least = Math.min(least, Math.hypot(points[i][0] - points[j][0], points[i][1] - points[j][1]));
  }
  return least;
};
const cities = [[50.11, 8.68], [52.37, 4.9], [51.51, -0.13], [47.37, 8.54], [1.35, 103.82], [-36.85, 174.76]];
const inCities = (n) => Array.from({ length: n }, (_, i) => {
  const [latitude, longitude] = cities[i % cities.length];
  return aPeer({ key: `peer-${i}`, latitude, longitude, latency_ms: (i * 7) % 400, status: "CONNECTED" });
});
"""


@needs_node
def test_a_lone_peer_is_exactly_where_it_says():
    seat, there = run(
        "network_map",
        PEERS
        + """
        const ground = new WorldGround(1000, 420, 10, { whole: false, unplaced: 0 });
        const { x, y } = ground.seat(new Seats(10), aPeer({ latitude: 50.11, longitude: 8.68 }));
        return [[x, y], ground.frame.at(8.68, 50.11)];
        """,
    )
    assert seat == there


@needs_node
def test_a_thousand_peers_in_six_cities_do_not_cover_each_other_and_stay_in_the_room():
    least, box, moved = run(
        "network_map",
        PEERS
        + MANY
        + """
        const ground = new WorldGround(1000, 420, 7, { whole: false, unplaced: 0 });
        const seats = new Seats(7);
        const peers = inCities(1000);
        const points = seatAll(ground, seats, peers);
        const [xs, ys] = [0, 1].map((i) => points.map((p) => p[i]));
        const again = seatAll(ground, seats, [...peers].reverse()).reverse();
        return [closest(points), [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)],
          points.filter((p, i) => p[0] !== again[i][0] || p[1] !== again[i][1]).length];
        """,
    )
    assert least >= 7 * 0.97
    assert box[0] >= 0 and box[1] <= 1000 and box[2] >= 0 and box[3] <= 420
    assert moved == 0


@needs_node
def test_a_peer_that_comes_or_goes_moves_nobody_else_and_its_seat_is_given_again():
    same, reused = run(
        "network_map",
        PEERS
        + MANY
        + """
        const ground = new WorldGround(1000, 420, 10, { whole: false, unplaced: 0 });
        const seats = new Seats(10);
        const peers = inCities(60);
        const before = seatAll(ground, seats, peers);
        seats.leave("peer-6");
        const rest = seatAll(ground, seats, peers.filter((p) => p.key !== "peer-6"));
        const [x, y] = seatAll(ground, seats, [{ ...peers[0], key: "new" }])[0];
        return [JSON.stringify(rest) === JSON.stringify(before.filter((_, i) => i !== 6)),
          x === before[6][0] && y === before[6][1]];
        """,
    )
    assert (same, reused) == (True, True)


@needs_node
def test_peers_without_a_place_sit_in_a_strip_below_the_map():
    bottom, height, points, least = run(
        "network_map",
        PEERS
        + MANY
        + """
        const peers = Array.from({ length: 150 }, (_, i) => aPeer({ key: `k${i}` }));
        const ground = new WorldGround(600, 300, 10, { whole: false, unplaced: 150 });
        const points = seatAll(ground, new Seats(10), peers);
        return [ground.bottom, 300, points, closest(points)];
        """,
    )
    assert all(bottom < y < height for _, y in points)
    assert least >= 9.8


@needs_node
def test_more_than_there_is_room_for_sit_on_each_other_and_nothing_hangs():
    count = run(
        "network_map",
        PEERS
        + MANY
        + """
        const peers = Array.from({ length: 2000 }, (_, i) => aPeer({ key: `k${i}`, latitude: 0, longitude: 0 }));
        const ground = new WorldGround(220, 100, 6, { whole: false, unplaced: 0 });
        return seatAll(ground, new Seats(6), peers).filter(([x, y]) => x >= 0 && x <= 220 && y >= 0 && y <= 100).length;
        """,
    )
    assert count == 2000


# ---- rings


@needs_node
def test_a_peer_keeps_its_angle_whatever_its_latency_and_whoever_else_is_there():
    angles = run(
        "network_map",
        PEERS
        + """
        const ground = new RingGround(800, 400, 10);
        const { frame } = ground;
        const at = (latency_ms, others) => {
          const seats = new Seats(10);
          for (const key of others) ground.seat(seats, aPeer({ key, latency_ms, status: "CONNECTED" }));
          const { x, y } = ground.seat(seats, aPeer({ key: "peer-a", latency_ms, status: "CONNECTED" }));
          const [rx, ry] = frame.radii(1);
          return Math.atan2((frame.y - y) / ry, (x - frame.x) / rx);
        };
        return [at(10, []), at(70, ["b"]), at(140, ["c", "d"]), at(5000, []), at(null, [])];
        """,
    )
    assert angles == pytest.approx([angles[0]] * 5)


@needs_node
def test_seats_of_one_angle_fill_the_depth_of_a_ring_before_anybody_is_moved_aside():
    spots, edges = run(
        "network_map",
        """
        const frame = ringFrame(800, 400);
        const [inner, outer] = [frame.radii(1), frame.radii(2)];
        const spots = [0, 1, 2, 3, 4].map((i) => onRing(frame, 1, 1, 8, i)).map(([x, y]) => {
          const [across, up] = [(x - frame.x) / outer[0], (frame.y - y) / outer[1]];
          return [Math.atan2(up, across), Math.hypot(across, up)];
        });
        return [spots, inner[0] / outer[0]];
        """,
    )
    angles, depths = zip(*spots, strict=True)
    assert angles[:4] == pytest.approx([1.0] * 4)
    assert angles[4] != pytest.approx(1.0)
    assert len({round(depth, 6) for depth in depths[:4]}) == 4
    assert all(edges < depth < 1 for depth in depths)


@needs_node
def test_angles_of_like_names_spread_over_the_circle():
    angles = run("network_map", "return Array.from({ length: 800 }, (_, i) => angleOf(`peer-${i}`));")
    eighths = [sum(int(a / (math.tau / 8)) == part for a in angles) for part in range(8)]
    assert all(0 <= a < math.tau for a in angles)
    assert min(eighths) > 60


@needs_node
def test_bands_are_the_classes_of_latency_and_the_last_is_for_none():
    bands = run(
        "network_map",
        """
        const told = [0, 49.9, 50, 99, 100, 149, 150, 299, 300, 1e9, null, -1, "9e99"].map((ms) => bandOf(ms, true));
        return [told, bandOf(10, false), [1, 2, 3, 4, 5, 6].map(ringWords)];
        """,
    )
    assert bands == [
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5],
        5,
        ["50 ms", "100 ms", "150 ms", "300 ms", "over 300 ms", "no latency"],
    ]


@needs_node
@pytest.mark.parametrize("count, step", [(17, 15), (1000, 6)])
def test_every_peer_is_in_its_band_and_few_cover_another(count, step):
    wrong, covered = run(
        "network_map",
        PEERS
        + MANY
        + f"""
        const ground = new RingGround(960, 420, {step});
        const {{ frame }} = ground;
        const peers = inCities({count});
        const points = seatAll(ground, new Seats({step}), peers);
        const wrong = points.filter(([x, y], i) => {{
          const far = ([rx, ry]) => Math.hypot((x - frame.x) / rx, (y - frame.y) / ry);
          const band = bandOf(peers[i].latency_ms, true);
          return !(far(frame.radii(band)) >= 1 && far(frame.radii(band + 1)) <= 1);
        }}).length;
        const covers = (p) => (q) => Math.hypot(p[0] - q[0], p[1] - q[1]) < {step} / 2;
        return [wrong, points.filter((p, i) => points.slice(0, i).some(covers(p))).length];
        """,
    )
    assert wrong == 0
    assert covered <= count * 0.02


@needs_node
def test_marks_shrink_in_steps_as_there_are_more_of_them():
    steps = run(
        "network_map",
        "return [[0, 4e5], [40, 4e5], [41, 4e5], [1000, 4e5], [9999, 1e4], [100, 1e5]]"
        ".map(([n, area]) => STEPS[stepFor(n, area)][1]);",
    )
    assert steps == [15, 15, 12.5, 6, 6, 10]


# ---- looks and words


@needs_node
def test_quality_has_a_shape_of_its_own_and_other_words_have_none():
    looks, shapes = run(
        "network_map",
        PEERS
        + """
        const looks = [["CONNECTED", "EXCELLENT"], ["CONNECTED", "good"], ["CONNECTED", "FAIR"], ["CONNECTED", "POOR"],
          ["DISCONNECTED", "GOOD"], ["CONNECTING", "GOOD"], ["CONNECTED", null], [null, "FAIR"],
          ["CONNECTED", "ag-map-off x"], ["CONNECTED", "constructor"], ["<b>", "__proto__"]];
        return [looks.map(([status, quality]) => lookOf(aPeer({ status, quality }))),
          Object.values(LOOKS).map(([, shape]) => shape(5))];
        """,
    )
    assert looks == ["excellent", "good", "fair", "poor", "off", "connecting", "unknown", "fair"] + ["unknown"] * 3
    assert len(set(shapes)) == len(shapes) - 1  # connecting is the circle of excellent, hollow and dashed
    assert not [shape for shape in shapes if "NaN" in shape]


@needs_node
def test_details_are_words_with_units_and_leave_out_what_is_not_known():
    details, sentence, bare = run(
        "network_map",
        PEERS
        + """
        const peer = aPeer({ status: "CONNECTED", quality: "GOOD", latency_ms: 72.35, latitude: -33.87,
          longitude: 151.21, city: "Sydney", country: "Australia", address: "10.0.0.1", version: "1.2", uptime_s: 93784,
          inbound: 1234567, last_seen: 1767225600123, outbound: "123456789012345678901" });
        return [detailsOf(peer).map(([label, words]) => [label, words]), sentenceOf(peer), detailsOf(aPeer({}))];
        """,
    )
    assert dict(details) == {
        "Status": "CONNECTED",
        "Quality": "GOOD",
        "Latency": "72.4 ms",
        "Place": "Sydney, Australia",
        "Location": "33.87° S, 151.21° E",
        "Address": "10.0.0.1",
        "Version": "1.2",
        "Uptime": "1 d 2 h",
        "Last seen": "00:00:00 UTC",
        "Received": "1.23 MB",
        "Sent": "123,456,789,012,345,678,901 B",
    }
    assert sentence.startswith("p, Status CONNECTED, Quality GOOD, Latency 72.4 ms, Place Sydney")
    assert bare == []


@needs_node
def test_spans_and_bytes_are_written_for_people():
    words = run(
        "network_map",
        "return [[0, 59.4, 60, 3661, 86400, null, -5].map(formatSpan),"
        "[0, 999, 1000, 5e15, 1e30, null].map(formatBytes)];",
    )
    assert words == [
        ["0 s", "59 s", "1 min", "1 h 1 min", "1 d", "–", "–"],
        ["0 B", "999 B", "1.00 kB", "5.00 PB", "1.00e+15 PB", "–"],
    ]


# ---- data and keyboard


@needs_node
def test_deltas_change_what_they_name_and_a_reset_replaces_all():
    seen = run(
        "network_map",
        PEERS
        + """
        const data = new Peers(aModel(state()));
        const keys = () => [...data.peers.keys()].join("");
        data.snapshot(message([row({ key: "a" }), row({ key: "b" })]));
        const stamp = data.peers.get("b").stamp;
        data.delta(message([row({ key: "a", city: "Oslo" }), row({ key: "c" })]));
        const seen = [keys(), data.peers.get("a").city, data.peers.get("b").stamp === stamp, data.fillings];
        data.delta(message([], { removed: ["b"] }));
        seen.push(keys());
        data.delta(message([row({ key: "z" })], { reset: true }));
        return [...seen, keys(), data.fillings];
        """,
    )
    assert seen == ["abc", "Oslo", True, 1, "ac", "z", 2]


@needs_node
def test_the_reader_chooses_the_layout_unless_it_cannot_be_drawn():
    layouts = run(
        "network_map",
        PEERS
        + """
        const told = (ui, layout, placed) => {
          const data = new Peers(aModel(state(ui)));
          data.put(message([], { layout }));
          return data.layoutFor(placed);
        };
        return [told({}, "geo", 3), told({ layout: "radial" }, "geo", 3), told({ layout: "geo" }, "radial", 3),
          told({ layout: "geo" }, "radial", 0), told({}, "geo", 0), told({ layout: "<b>" }, "radial", 1),
          told({}, null, 0)];
        """,
    )
    assert layouts == ["geo", "radial", "geo", "radial", "geo", "radial", "geo"]


@needs_node
def test_arrows_reach_every_peer_and_go_where_they_point():
    walked, up, down, others = run(
        "network_map",
        """
        const spots = { a: [0, 0], b: [10, 5], c: [10, 50], d: [100, 0], e: [12, 90] };
        const nodes = new Map(Object.entries(spots).map(([key, [x, y]]) => [key, { seat: { x, y } }]));
        const walked = [];
        const right = (from) => nextPeer(nodes, from, "ArrowRight");
        for (let at = right(null); !walked.includes(at); at = right(at)) walked.push(at);
        return [walked, nextPeer(nodes, "c", "ArrowUp"), nextPeer(nodes, "c", "ArrowDown"),
          [nextPeer(nodes, "a", "ArrowLeft"), nextPeer(nodes, null, "End"), nextPeer(nodes, "e", "ArrowDown"),
           nextPeer(nodes, "a", "x") ?? "none", nextPeer(new Map(), null, "Home") ?? "none"]];
        """,
    )
    assert walked == ["a", "b", "c", "e", "d"]
    assert (up, down) == ("b", "e")
    assert others == ["d", "d", "e", "none", "none"]
