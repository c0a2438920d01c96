// What a chart knows without drawing: its points, bounded; what it was told beside them; which charts share an axis.

const MOST_MARKS = 100;
const GROUPS = "__aurigraph_time";

class Points {
  constructor(model) {
    const setup = model.get("_setup");
    this.lines = setup.lines.length;
    this.keep = setup.points;
    this.windowMs = setup.window_ms;
    this.onScript = null;
    this.onFine = new Map(); // by view
    this.gaps = [];
    this.marks = [];
    this.clock = null; // while nothing comes: now, since when, why, whether it is over
    this.stats = null; // average, peak, time of the peak
    this.version = 0; // grows with every message
    this.base = 0; // grows with every snapshot
    this.clear();
  }

  clear() {
    this.x = [];
    this.y = Array.from({ length: this.lines }, () => []);
    this.total = 0; // points ever taken since the snapshot
    this.begin = null; // time of the first of them
  }

  snapshot(message, buffers) {
    this.clear();
    this.marks = [];
    this.base += 1;
    this.take(message, buffers);
  }

  delta(message, buffers) {
    if (message.reset) this.snapshot(message, buffers);
    else this.take(message, buffers);
  }

  take(message, buffers) {
    this.version += 1;
    if (message.gaps) this.gaps = message.gaps;
    if (message.marks) this.marks = [...this.marks, ...message.marks].slice(-MOST_MARKS);
    this.clock = message.clock ?? null;
    if (message.stats) this.stats = message.stats;
    const { x, y } = unpack(buffers[0], message.count, this.lines);
    this.begin ??= x[0] ?? null;
    for (const time of x) this.x.push(time);
    this.y.forEach((line, k) => {
      for (const value of y[k]) line.push(value);
    });
    this.total += message.count;
    this.trim();
    (message.fine ?? []).forEach((one, i) => {
      this.onFine.get(one.view)?.({ ...one, ...unpack(buffers[i + 1], one.count, this.lines) });
    });
  }

  trim() {
    let drop = Math.max(0, this.x.length - this.keep);
    if (this.windowMs !== null && this.x.length) {
      const oldest = this.x[this.x.length - 1] - this.windowMs;
      while (drop < this.x.length && this.x[drop] < oldest) drop += 1;
    }
    if (drop < 256 && drop < this.x.length / 4 && this.x.length <= this.keep) return; // seldom, and then many
    this.x.splice(0, drop);
    for (const line of this.y) line.splice(0, drop);
  }

  other(message, buffers) {
    if (message.kind === "plotly") this.onScript?.(buffers[0]);
  }

  // ---- what is shown

  // Now, on the axis: it goes on while nothing comes that is due.
  get edge() {
    const last = this.x[this.x.length - 1];
    return this.clock ? Math.max(last, this.clock[0]) : last;
  }

  // From the begin of the window to now; null without points.
  span(most) {
    const { x, windowMs, edge } = this;
    if (x.length === 0) return null;
    if (windowMs !== null) return [Math.max(this.begin, edge - windowMs), edge];
    return [x[Math.max(0, x.length - most)], edge];
  }

  // The points, with those of a zoom in place of the coarser ones there.
  merged(fine) {
    if (!fine || fine.x.length === 0) return { x: this.x, y: this.y };
    const first = fine.x[0];
    const last = fine.x[fine.x.length - 1];
    const before = this.x.map((time) => time < first);
    const after = this.x.map((time) => time > last);
    const mix = (own, finer) => [...own.filter((_, i) => before[i]), ...finer, ...own.filter((_, i) => after[i])];
    return { x: mix(this.x, fine.x), y: this.y.map((line, k) => mix(line, fine.y[k])) };
  }
}

function unpack(buffer, count, lines) {
  const values = floats(buffer);
  const part = (k) => Array.from(values.subarray(count * k, count * (k + 1)));
  return { x: part(0), y: Array.from({ length: lines }, (_, k) => part(k + 1)) };
}

function floats(buffer) {
  // A DataView may start anywhere; a Float64Array has to start at a multiple of 8.
  const start = buffer.byteOffset ?? 0;
  const bytes = (buffer.buffer ?? buffer).slice(start, start + buffer.byteLength);
  return new Float64Array(bytes);
}

// Points without a neighbour to draw a line to: a line would not show them.
function lonePoints(x, y) {
  const found = { x: [], y: [] };
  const missing = (i) => i < 0 || i >= y.length || Number.isNaN(y[i]);
  for (let i = 0; i < y.length; i += 1) {
    if (Number.isNaN(y[i]) || !missing(i - 1) || !missing(i + 1)) continue;
    found.x.push(x[i]);
    found.y.push(y[i]);
  }
  return found;
}

// plotly reads a small part of HTML in its texts; what comes from a feed is text.
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// A time of plotly's events: a number, or a date as text without a zone, which is UTC.
function timeOf(value) {
  if (typeof value === "number") return value;
  const text = String(value).trim().replace(" ", "T");
  return Date.parse(text.length > 10 && !text.endsWith("Z") ? `${text}Z` : text);
}

// The ends of an axis in what plotly tells of a zoom, or null.
function endsOf(change, axis) {
  const whole = change[`${axis}.range`];
  const ends = whole ? [...whole] : [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
  return ends.every((end) => end !== undefined && end !== null) ? ends : null;
}

// ---- charts with one time axis: views by the name of their group, over all widgets of a page

function groups() {
  globalThis[GROUPS] ??= new Map();
  return globalThis[GROUPS];
}

function joinGroup(name, view) {
  if (!name) return null;
  if (!groups().has(name)) groups().set(name, { views: new Set(), span: null });
  const group = groups().get(name);
  group.views.add(view);
  return group;
}

function leaveGroup(name, view) {
  const group = groups().get(name);
  group?.views.delete(view);
  if (group?.views.size === 0) groups().delete(name);
}

// From the earliest begin to the latest end of all that follow.
function spanOf(views) {
  const spans = [...views].map((view) => view.data.span(view.setup.show)).filter(Boolean);
  if (spans.length === 0) return null;
  return [Math.min(...spans.map(([from]) => from)), Math.max(...spans.map(([, to]) => to))];
}
