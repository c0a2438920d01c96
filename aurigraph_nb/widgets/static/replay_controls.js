// A replay: play, pause, speed, loop, and a slider over the time that was recorded. Time goes on here between messages.

const TICK_MS = 100;
const COUNT_ON_MS = 3000; // without a message for so long, the page does not count on by itself
const SETTLE_MS = 500; // a message that came sooner after a seek may be older than it
const FORGET_MS = 2000;
const KEYS_REST_MS = 250; // so long after the last key, the place is sought
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600];
const STATE_TONES = { PLAYING: "good", SEEKING: "wait" };

class Tape {
  constructor() {
    this.now = null; // the newest message
    this.came = 0;
    this.gaps = [];
    this.gapTotal = 0;
    this.gapsVersion = 0;
    this.sought = null; // {at, since}: asked for, not confirmed
  }

  snapshot(message) {
    this.now = message;
    this.came = performance.now();
    if (message.gaps) {
      this.gaps = message.gaps;
      this.gapTotal = message.gap_total;
      this.gapsVersion += 1;
    }
    if (this.sought && (message.target !== null || this.came - this.sought.since > SETTLE_MS)) this.sought = null;
  }

  delta(message) {
    this.snapshot(message);
  }

  get closed() {
    return this.now === null || this.now.state === "CLOSED";
  }

  seek(at) {
    this.sought = { at, since: performance.now() };
  }

  // Milliseconds after the start.
  position(still) {
    const { now } = this;
    if (now === null) return 0;
    const time = performance.now();
    if (this.sought && time - this.sought.since < FORGET_MS) return this.sought.at;
    if (now.target !== null) return now.target;
    const runs = now.state === "PLAYING" && now.speed !== null && !still;
    const passed = runs ? Math.min(time - this.came, COUNT_ON_MS) * now.speed : 0;
    return clampTo(now.at + passed, now.span);
  }

  gapAt(at) {
    return this.gaps.find(([start, end]) => start <= at && at <= (end ?? this.now.span)) ?? null;
  }
}

function clampTo(at, span) {
  return Math.min(Math.max(at, 0), span);
}

function lengthWords(ms) {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  const min = Math.round(s / 60);
  return `${Math.floor(min / 60)} h${min % 60 ? ` ${min % 60} min` : ""}`;
}

function momentWords(ms, digits = 0) {
  const iso = isoTime(ms);
  return iso === null ? "–" : `${iso.slice(0, 10)} ${iso.slice(11, digits ? 20 + digits : 19)} UTC`;
}

function localWords(ms) {
  const date = new Date(ms);
  const how = { dateStyle: "medium", timeStyle: "long" };
  return Number.isNaN(date.getTime()) ? "" : `Local time: ${date.toLocaleString(undefined, how)}`;
}

// Without the date where it is the same all the way.
function shortWords(ms, from, to) {
  const [iso, first, last] = [ms, from, to].map((time) => isoTime(time) ?? "–");
  return first.slice(0, 10) === last.slice(0, 10) ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

function gapWords([start, end, cause, topics, detail], span) {
  const length = end === null ? `${lengthWords(span - start)}, to the end` : lengthWords(end - start);
  const words = `${cause.replaceAll("_", " ")}, ${length}: ${topics}`;
  return detail ? `${words} (${detail})` : words;
}

// About a hundredth of the whole, a number that people count in.
function stepOf(span) {
  const wish = span / 1e5;
  return (STEPS_S.find((step) => step >= wish) ?? Math.ceil(wish / 3600) * 3600) * 1000;
}

// Where a key leads from `at`; null for keys that do not move.
function keyTarget(key, shift, at, span) {
  const step = shift ? 1000 : stepOf(span);
  const moves = { ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step };
  const ends = { Home: 0, End: span };
  const pages = { PageUp: span / 10, PageDown: -span / 10 };
  if (Object.hasOwn(ends, key)) return ends[key];
  if (Object.hasOwn(moves, key)) return clampTo(at + moves[key], span);
  return Object.hasOwn(pages, key) ? clampTo(at + pages[key], span) : null;
}

class ControlsView {
  constructor({ data, model, body, link, view, root }) {
    this.data = data;
    this.model = model;
    this.link = link;
    this.view = view;
    this.held = null; // where the thumb is while it is moved
    this.gapsVersion = -1;
    this.speeds = "";
    root.classList.add("ag-replay");
    this.buildHead(body, model.get("_setup").title);
    this.buildTrack(body);
    this.buildGaps(body);
    this.timer = setInterval(() => {
      if (this.data.now?.state === "PLAYING") this.view.schedule();
    }, TICK_MS);
  }

  buildHead(body, title) {
    const bar = header(body, title);
    this.state = element("span", "ag-none", "–");
    this.state.setAttribute("role", "status");
    this.place = element("span", "ag-replay-place", "–");
    this.part = element("span", "ag-meta");
    this.speed = element("select", "ag-replay-speed");
    this.speed.setAttribute("aria-label", "Speed");
    this.speed.addEventListener("change", () => {
      const { value } = this.speed;
      this.link.say("speed", { value: value === "max" ? "max" : Number(value) });
    });
    this.loop = element("button", "ag-button", "Loop");
    this.loop.type = "button";
    this.loop.title = "Begin again at the end";
    this.loop.addEventListener("click", () => this.link.say("loop", { value: !this.data.now.loop }));
    const now = element("div", "ag-replay-now");
    now.append(this.state, this.place, this.part);
    const tools = element("div", "ag-replay-tools");
    tools.append(this.speed, this.loop);
    bar.append(now, tools);
  }

  buildTrack(body) {
    const row = element("div", "ag-replay-row");
    this.button = element("button", "ag-button ag-replay-play");
    this.button.type = "button";
    this.button.append(element("span", "ag-replay-sign"), element("span", "", "Play"));
    this.button.addEventListener("click", () => this.toggle());
    this.slider = element("div", "ag-replay-slider");
    this.slider.tabIndex = 0;
    this.slider.setAttribute("role", "slider");
    this.slider.setAttribute("aria-label", "Time of the replay");
    this.slider.dataset.lmSuppressShortcuts = "true"; // the arrows are the slider's, not the notebook's
    this.rail = element("div", "ag-replay-rail");
    this.fill = element("div", "ag-replay-fill");
    this.bands = element("div", "ag-replay-bands");
    this.thumb = element("div", "ag-replay-thumb");
    this.tip = element("span", "ag-replay-tip");
    this.tip.hidden = true;
    this.rail.append(this.fill, this.bands, this.thumb);
    this.slider.append(this.rail);
    this.first = element("span");
    this.last = element("span");
    const ends = element("div", "ag-meta ag-replay-ends");
    ends.append(this.first, this.tip, this.last);
    const column = element("div", "ag-replay-column");
    column.append(this.slider, ends);
    row.append(this.button, column);
    body.append(row);
    this.listen();
  }

  listen() {
    const on = (name, work) => this.slider.addEventListener(name, work);
    on("pointerdown", (event) => this.grab(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", () => this.drop());
    on("pointercancel", () => this.leave());
    on("pointerleave", () => this.point(null));
    on("keydown", (event) => this.key(event));
    on("blur", () => this.drop());
  }

  buildGaps(body) {
    this.fold = element("details", "ag-fold ag-replay-gaps");
    this.fold.open = Boolean((this.model.get("_ui") ?? {}).open);
    this.summary = element("summary", "ag-summary");
    this.list = element("ul", "ag-replay-list");
    this.fold.append(this.summary, this.list);
    this.fold.addEventListener("toggle", () => {
      this.model.set("_ui", { open: this.fold.open });
      this.model.save_changes();
    });
    body.append(this.fold);
  }

  get off() {
    return this.data.closed || this.link.gone;
  }

  // ---- what the reader does

  toggle() {
    const { state, paused } = this.data.now;
    this.link.say("play", { value: state === "ENDED" || paused });
  }

  seek(at) {
    this.held = null;
    this.data.seek(at);
    this.link.say("seek", { value: at });
    this.link.refresh();
  }

  timeUnder(event) {
    const box = this.rail.getBoundingClientRect();
    const share = box.width > 0 ? (event.clientX - box.left) / box.width : 0;
    return clampTo(share * this.data.now.span, this.data.now.span);
  }

  grab(event) {
    if (this.off || event.button !== 0) return;
    this.slider.setPointerCapture(event.pointerId);
    this.dragging = true;
    this.held = this.timeUnder(event);
    this.point(this.held);
    this.view.schedule();
  }

  move(event) {
    if (this.data.now === null) return;
    const at = this.timeUnder(event);
    this.point(at);
    if (!this.dragging) return;
    this.held = at;
    this.view.schedule();
  }

  drop() {
    clearTimeout(this.resting);
    this.dragging = false;
    if (this.held !== null && !this.off) this.seek(this.held);
    this.held = null;
  }

  leave() {
    clearTimeout(this.resting);
    this.dragging = false;
    this.held = null;
    this.point(null);
    this.view.schedule();
  }

  key(event) {
    if (this.off || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape" && this.held !== null) this.leave();
    else if (event.key === " ") this.toggle();
    else {
      const at = keyTarget(event.key, event.shiftKey, this.at(), this.data.now.span);
      if (at === null) return;
      this.held = at;
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.drop(), KEYS_REST_MS);
      this.view.schedule();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  at() {
    return this.held ?? this.data.position(this.link.gone);
  }

  // What the pointer is over: a time, and perhaps a gap. It stands below: above, a notebook would cut it off.
  point(at) {
    show(this.tip, at !== null);
    for (const end of [this.first, this.last]) show(end, at === null);
    if (at === null) return;
    const { now } = this.data;
    const gap = this.data.gapAt(at);
    const words = [momentWords(now.start + at, 1)];
    if (gap) words.push(`gap: ${gapWords(gap.slice(0, 4), now.span)}`);
    setText(this.tip, words.join(" · "));
    this.slider.title = localWords(now.start + at);
  }

  // ---- drawing

  draw() {
    const { now } = this.data;
    const parts = [this.button, this.speed, this.loop, ...this.list.getElementsByTagName("button")];
    for (const part of parts) part.disabled = this.off;
    this.slider.setAttribute("aria-disabled", String(this.off));
    if (now === null) return;
    this.drawWords(now);
    this.drawSpeed(now);
    this.drawSlider(now);
    this.drawGaps(now);
  }

  drawWords(now) {
    const waits = now.state === "SEEKING" && now.target > 0;
    const share = waits ? ` ${Math.floor((100 * Math.min(now.at, now.target)) / now.target)} %` : "";
    badge(this.state, `${now.state}${share}`, this.link.gone ? "calm" : (STATE_TONES[now.state] ?? "calm"));
    const at = this.at();
    setText(this.place, momentWords(now.start + at, 1));
    this.place.title = localWords(now.start + at);
    setText(this.part, `${lengthWords(at)} of ${lengthWords(now.span)}`);
    const again = now.state === "ENDED";
    const stands = again || now.paused;
    this.button.classList.toggle("ag-stands", stands);
    setText(this.button.lastChild, again ? "Again" : now.paused ? "Play" : "Pause");
    this.loop.setAttribute("aria-pressed", String(now.loop));
  }

  drawSpeed(now) {
    const known = [...now.speeds];
    if (now.speed !== null && !known.includes(now.speed)) known.push(now.speed);
    known.sort((a, b) => a - b);
    if (this.speeds !== known.join()) {
      this.speeds = known.join();
      const options = known.map((speed) => [String(speed), `${formatNumber(speed)}×`]);
      this.speed.replaceChildren(
        ...[...options, ["max", "Max"]].map(([value, words]) => {
          const option = element("option", "", words);
          option.value = value;
          return option;
        }),
      );
    }
    const value = now.speed === null ? "max" : String(now.speed);
    if (this.speed.value !== value) this.speed.value = value;
  }

  drawSlider(now) {
    const at = this.at();
    const share = now.span > 0 ? at / now.span : 0;
    this.fill.style.width = `${share * 100}%`;
    this.thumb.style.left = `${share * 100}%`;
    const gap = this.data.gapAt(at);
    const part = `${lengthWords(at)} of ${lengthWords(now.span)}`;
    const missing = gap ? `, in a gap: ${gapWords(gap, now.span)}` : "";
    const said = { valuemin: 0, valuemax: Math.round(now.span / 1000), valuenow: Math.round(at / 1000) };
    said.valuetext = `${momentWords(now.start + at)}, ${part}${missing}`;
    for (const [name, value] of Object.entries(said)) this.slider.setAttribute(`aria-${name}`, String(value));
    const end = now.start + now.span;
    setText(this.first, shortWords(now.start, now.start, end));
    setText(this.last, shortWords(end, now.start, end));
    this.first.title = `${momentWords(now.start)}\n${localWords(now.start)}`;
    this.last.title = `${momentWords(end)}\n${localWords(end)}`;
  }

  drawGaps(now) {
    show(this.fold, this.data.gaps.length > 0);
    if (this.gapsVersion === this.data.gapsVersion) return;
    this.gapsVersion = this.data.gapsVersion;
    const { gaps, gapTotal } = this.data;
    const some = gapTotal > gaps.length ? ` (the ${gaps.length} longest are shown)` : "";
    setText(this.summary, `${formatNumber(gapTotal)} ${gapTotal === 1 ? "gap" : "gaps"} in the recording${some}`);
    this.bands.replaceChildren(...gaps.map((gap) => this.bandOf(gap, now)));
    this.list.replaceChildren(...gaps.map((gap) => this.entryOf(gap, now)));
  }

  bandOf(gap, now) {
    const [start, end] = [clampTo(gap[0], now.span), clampTo(gap[1] ?? now.span, now.span)];
    const band = element("div", "ag-replay-band");
    band.style.left = `${(100 * start) / (now.span || 1)}%`;
    band.style.width = `${(100 * (end - start)) / (now.span || 1)}%`;
    band.dataset.words = gapWords(gap, now.span);
    return band;
  }

  entryOf(gap, now) {
    const at = clampTo(gap[0], now.span);
    const line = element("li");
    const button = element("button", "ag-replay-goto", momentWords(now.start + at));
    button.type = "button";
    button.title = "Go to a second before it";
    button.addEventListener("click", () => {
      this.seek(Math.max(0, at - 1000));
    });
    line.append(button, ` ${gapWords(gap, now.span)}`);
    return line;
  }

  remove() {
    clearInterval(this.timer);
    clearTimeout(this.resting);
  }
}

export default defineWidget(
  () => new Tape(),
  (context) => new ControlsView(context),
);
