// Who sits where: a peer takes the free seat that is nearest to where it belongs, and keeps it. Pure.

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const MOST_TRIES = 4000;
const ASIDE_STEPS = 10; // how far a peer may be moved along its ring
const RING_MS = [50, 100, 150, 300]; // outer edges; one band more for what is slower, one for what has no latency
const NO_LATENCY = RING_MS.length + 1;
const EDGES = [0.06, 0.34, 0.53, 0.68, 0.81, 0.9, 1]; // of the bands, as shares of the radius; the inner are the deeper ones
const WIDEST = 1.5; // rings in a wide room are ellipses

// Marks shrink in steps as there are more of them: [most peers, distance of two].
const STEPS = [[40, 15], [120, 12.5], [350, 10], [900, 7.5], [Infinity, 6]];

function stepFor(count, area) {
  const roomy = area >= 200000 ? 0 : 1; // in a small room one step sooner
  const index = STEPS.findIndex(([most]) => count <= most);
  return Math.min(STEPS.length - 1, index + (count > 20 ? roomy : 0));
}

class Seats {
  constructor(spacing) {
    this.spacing = spacing;
    this.cells = new Map();
    this.taken = new Map(); // key -> {x, y, home}
    this.from = new Map(); // home -> the first spot of it that may be free
  }

  // `spot(i)` is the i-th best place of a peer, undefined after the last; who has the same `home` has the same spots.
  take(key, home, spot, isInside = () => true) {
    const old = this.taken.get(key);
    if (old?.home === home) return old;
    if (old) this.leave(key);
    const first = this.from.get(home) ?? 0;
    for (let i = first; i < first + MOST_TRIES; i += 1) {
      const point = spot(i);
      if (point === undefined) break;
      if (!isInside(...point) || !this.isFree(...point)) continue;
      this.from.set(home, i + 1);
      return this.sit(key, home, point);
    }
    return this.sit(key, home, spot(0)); // full: one upon another
  }

  sit(key, home, [x, y]) {
    const seat = { key, home, x, y };
    this.taken.set(key, seat);
    const cell = this.cellOf(x, y);
    if (!this.cells.has(cell)) this.cells.set(cell, new Set());
    this.cells.get(cell).add(seat);
    return seat;
  }

  leave(key) {
    const seat = this.taken.get(key);
    if (!seat) return;
    this.taken.delete(key);
    this.cells.get(this.cellOf(seat.x, seat.y)).delete(seat);
    this.from.clear(); // the seat may be the best of some other place too
  }

  cellOf(x, y, right = 0, down = 0) {
    return (Math.floor(y / this.spacing) + down) * 65536 + Math.floor(x / this.spacing) + right;
  }

  isFree(x, y) {
    const least = (this.spacing * 0.98) ** 2;
    for (let down = -1; down <= 1; down += 1) {
      for (let right = -1; right <= 1; right += 1) {
        for (const seat of this.cells.get(this.cellOf(x, y, right, down)) ?? []) {
          if ((seat.x - x) ** 2 + (seat.y - y) ** 2 < least) return false;
        }
      }
    }
    return true;
  }
}

// The i-th seat around a place: the place itself, then as the seeds of a sunflower.
function fan(x, y, spacing, i) {
  const radius = spacing * 0.6 * Math.sqrt(i);
  return [x + radius * Math.cos(i * GOLDEN_ANGLE), y + radius * Math.sin(i * GOLDEN_ANGLE)];
}

// Rows of seats in a strip; undefined when it is full.
function inStrip(strip, spacing, i) {
  const columns = Math.max(1, Math.floor(strip.width / spacing));
  const row = Math.floor(i / columns);
  if (row >= strip.rows) return undefined;
  return [strip.x + ((i % columns) + 0.5) * spacing, strip.y + (row + 0.5) * spacing];
}

function stripRows(count, width, spacing, most) {
  return Math.min(most, Math.ceil(count / Math.max(1, Math.floor(width / spacing))));
}

// ---- rings

// FNV-1a with a finish that spreads ids which differ in their last letter.
function angleOf(key) {
  let hash = 0x811c9dc5;
  const text = String(key);
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32) * 2 * Math.PI;
}

function bandOf(latencyMs, isConnected) {
  if (!isConnected || typeof latencyMs !== "number" || !(latencyMs >= 0)) return NO_LATENCY;
  const band = RING_MS.findIndex((edge) => latencyMs < edge);
  return band < 0 ? RING_MS.length : band;
}

function ringFrame(width, height) {
  const tall = Math.max(10, height / 2 - 14);
  const wide = Math.max(10, Math.min(width / 2 - 12, tall * WIDEST));
  const round = Math.min(tall, wide);
  const radii = (edge) => {
    return [wide * EDGES[edge], Math.min(tall, round * WIDEST) * EDGES[edge]];
  };
  return { x: width / 2, y: height / 2 + 6, radii };
}

// The i-th seat of an angle in a band: from its middle in and out, and when all those are taken a little aside.
function onRing(frame, band, angle, spacing, i) {
  const [inner, outer] = [frame.radii(band), frame.radii(band + 1)];
  const deep = Math.max(1, Math.floor(Math.min(outer[0] - inner[0], outer[1] - inner[1]) / spacing));
  const aside = Math.floor(i / deep);
  if (aside > 2 * ASIDE_STEPS) return undefined;
  const middle = (deep - 1) / 2;
  const depth = (Math.floor(middle) + swing(i % deep) + 0.5) / deep;
  const [rx, ry] = [0, 1].map((axis) => inner[axis] + (outer[axis] - inner[axis]) * depth);
  const turned = angle + (swing(aside) * spacing) / ((rx + ry) / 2);
  return [frame.x + rx * Math.cos(turned), frame.y - ry * Math.sin(turned)];
}

// 0, 1, -1, 2, -2, …
function swing(i) {
  return i % 2 ? (i + 1) / 2 : -i / 2;
}
