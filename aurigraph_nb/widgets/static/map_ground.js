// What lies under the peers: the land, or the rings with their milliseconds. And where on it each peer belongs.

const STRIP_HEAD_PX = 18; // the words above peers without a place
const MARGIN_PX = 6;

// Peers at their places; those without one in a strip below.
class WorldGround {
  constructor(width, height, spacing, { whole, unplaced }) {
    const rows = unplaced ? stripRows(unplaced, width - 2 * MARGIN_PX, spacing, Math.floor(height / 3 / spacing)) : 0;
    this.spacing = spacing;
    this.bottom = rows ? height - rows * spacing - STRIP_HEAD_PX - MARGIN_PX : height;
    this.strip = { x: MARGIN_PX, y: this.bottom + STRIP_HEAD_PX, width: width - 2 * MARGIN_PX, rows };
    this.frame = mapFrame(width, this.bottom, whole);
    const edge = spacing / 2;
    this.isInside = (x, y) => x >= edge && x <= width - edge && y >= edge && y <= this.bottom - edge;
  }

  seat(seats, peer) {
    if (peer.latitude === null) {
      return seats.take(peer.key, "strip", (i) => inStrip(this.strip, this.spacing, i));
    }
    const [x, y] = this.frame.at(peer.longitude, peer.latitude);
    const home = `${peer.latitude} ${peer.longitude}`;
    return seats.take(peer.key, home, (i) => fan(x, y, this.spacing, i), this.isInside);
  }

  draw(layer, words) {
    drawing("path", "ag-map-sea", layer).setAttribute("d", globePath(this.frame));
    drawing("path", "ag-map-land", layer).setAttribute("d", landPath(this.frame, theLand()));
    if (this.strip.rows) label(words, MARGIN_PX, this.strip.y - 5, "Location not told", "ag-map-word ag-map-start");
  }
}

let land;

function theLand() {
  land ??= unfoldLand();
  return land;
}

// Peers around the node, at an angle of their own, as far out as their latency is high.
class RingGround {
  constructor(width, height, spacing) {
    this.spacing = spacing;
    this.frame = ringFrame(width, height);
  }

  seat(seats, peer) {
    const band = bandOf(peer.latency_ms, peer.status !== "DISCONNECTED");
    const angle = angleOf(peer.key);
    return seats.take(peer.key, `${band} ${peer.key}`, (i) => onRing(this.frame, band, angle, this.spacing, i));
  }

  draw(layer, words) {
    const { x, y, radii } = this.frame;
    for (let band = NO_LATENCY + 1; band > 0; band -= 1) {
      const [rx, ry] = radii(band);
      const kind = band > NO_LATENCY ? " ag-map-ring-last" : band % 2 ? "" : " ag-map-ring-even";
      const ring = drawing("ellipse", `ag-map-ring${kind}`, layer);
      for (const [name, value] of [["cx", x], ["cy", y], ["rx", rx], ["ry", ry]]) ring.setAttribute(name, value.toFixed(1));
      label(words, x, y - ry + 4, ringWords(band), "ag-map-word");
    }
    const node = drawing("circle", "ag-map-node", layer);
    for (const [name, value] of [["cx", x], ["cy", y], ["r", 5]]) node.setAttribute(name, value);
    label(words, x, y + 18, "node", "ag-map-word");
  }
}

function ringWords(band) {
  if (band <= RING_MS.length) return `${RING_MS[band - 1]} ms`;
  return band === NO_LATENCY ? `over ${RING_MS.at(-1)} ms` : "no latency";
}

function label(layer, x, y, words, className) {
  const made = drawing("text", className, layer);
  made.setAttribute("x", x.toFixed(1));
  made.setAttribute("y", y.toFixed(1));
  made.textContent = words;
}
