// Lines over time. After plotly.js only new points travel, as float64.

const TICK_PX = 96; // room for a time below the axis
const MARK_PX = 84; // room for the words of a mark
const ASK_RANGE_MS = 150;

const INKS = {
  light: ["#1d5fd1", "#b3261e", "#00796b", "#8a5a00", "#7b3fb5", "#00718f", "#a0366f", "#4f6500"],
  dark: ["#7aa7ff", "#ff8a80", "#4dd0b5", "#ffc861", "#c49bff", "#5fcbe8", "#ff94c8", "#b7d159"],
};
const DASHES = ["solid", "7px,3px", "2px,2px", "8px,3px,2px,3px"]; // of the lines of a panel: colour is not all
const CAUSES = new Map([
  ["disconnect", "no connection"],
  ["idle", "silent"],
  ["sequence_hole", "frames missing"],
  ["server_overflow", "dropped by the server"],
]);

class ChartView {
  constructor({ link, data, model, root, body, view }) {
    this.link = link;
    this.data = data;
    this.model = model;
    this.root = root;
    this.view = view;
    this.setup = model.get("_setup");
    this.name = Math.random().toString(36).slice(2, 12);
    this.zoom = null; // the range that the reader holds; null: follow the feed
    this.heights = {}; // and of the other axes
    this.fine = null; // the points of the zoom
    this.dragmode = "zoom";
    this.dirty = true;
    this.version = -1;
    this.base = -1;
    this.total = 0;
    this.buildHead(body);
    this.frame = element("div", "ag-plot");
    this.frame.style.height = `${this.setup.height}px`;
    this.frame.setAttribute("role", "img");
    this.frame.setAttribute("aria-label", this.label());
    this.target = element("div", "ag-plotly");
    this.empty = element("div", "ag-empty", "No data yet");
    this.frame.append(this.target, this.empty);
    body.append(this.frame);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.frame);
    data.onFine.set(this.name, (fine) => this.takeFine(fine));
    this.regroup = () => this.join(model.get("_group"));
    model.on("change:_group", this.regroup);
    this.regroup();
  }

  buildHead(body) {
    this.bar = header(body, this.setup.title);
    this.state = element("span", "ag-badge");
    this.state.hidden = true;
    this.value = element("span", "ag-meta");
    const words = element("div", "ag-chart-words");
    words.append(...this.bar.children, this.state, this.value);
    this.tools = element("div", "ag-chart-tools");
    this.bar.append(words, this.tools);
    this.hold = this.button("Pause", "Hold the time axis", () => this.toggle());
    this.button("PNG", "Download the chart as a PNG image", () => this.download("png"));
    this.button("SVG", "Download the chart as an SVG drawing", () => this.download("svg"));
    this.figures = element("div", "ag-figures");
    this.figures.hidden = true;
    body.append(this.figures);
  }

  button(words, hint, work) {
    const made = element("button", "ag-button", words);
    made.type = "button";
    made.title = hint;
    made.addEventListener("click", work);
    this.tools.append(made);
    return made;
  }

  label() {
    const names = this.setup.lines.map((line) => (line.unit ? `${line.name} in ${line.unit}` : line.name));
    return `${this.setup.title}, chart over time: ${names.join(", ")}`;
  }

  // ---- plotly

  load() {
    if (this.loading) return;
    this.loading = true;
    plotly(this.link, this.data).then(
      (library) => {
        this.plotly = library;
        this.failure = null;
        this.view.schedule();
      },
      (error) => {
        this.failure = error;
        this.loading = false;
        this.view.schedule();
        this.retry = setTimeout(() => this.view.schedule(), 10000);
      },
    );
  }

  resize() {
    if (!this.made || this.frame.clientWidth === 0) return;
    this.plotly.Plots.resize(this.target);
    this.renew();
  }

  // As many times as fit side by side.
  ticks() {
    return Math.max(2, Math.min(8, Math.floor((this.frame.clientWidth - 88) / TICK_PX)));
  }

  theme() {
    this.renew();
  }

  renew() {
    this.dirty = true;
    this.view.schedule();
  }

  async download(format) {
    if (!this.made) return;
    const { data, layout } = this.target;
    const card = this.ink("--ag-card");
    const title = { text: plain(this.setup.title), x: 0.02, font: { size: 14, color: this.ink("--ag-text") } };
    const margin = { ...layout.margin, t: layout.margin.t + 34 };
    const drawn = { ...layout, title, margin, paper_bgcolor: card, plot_bgcolor: card, autosize: false };
    const size = { width: Math.max(400, this.frame.clientWidth), height: this.setup.height + 34 };
    const filename = this.setup.title.replace(/[^\w-]+/g, "-").slice(0, 60) || "chart";
    const options = { format, filename, scale: format === "png" ? 2 : 1, ...size };
    try {
      await this.plotly.downloadImage({ data, layout: drawn }, options);
    } catch (error) {
      setText(this.value, `The download failed: ${error.message ?? error}`);
    }
  }

  // ---- following and zooming

  toggle() {
    if (this.zoom) this.follow();
    else if (this.data.x.length) this.zoomTo(this.range() ?? this.data.span(this.setup.show));
  }

  zoomTo(range, alone) {
    const [from, to] = range;
    if (!(from < to)) return;
    this.zoom = [from, to];
    if (this.fine && (this.fine.start > to || this.fine.end < from)) this.fine = null;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.tell(from, to), ASK_RANGE_MS);
    this.renew();
    if (!alone) this.each((other) => other.zoomTo(range, true));
  }

  follow(alone) {
    if (this.zoom) this.tell(null, null);
    clearTimeout(this.asking);
    this.zoom = null;
    this.fine = null;
    this.heights = {};
    this.renew();
    if (!alone) this.each((other) => other.follow(true));
  }

  tell(start, end) {
    this.told = true;
    this.link.say("range", { view: this.name, start, end });
  }

  takeFine(fine) {
    if (!this.zoom || fine.start !== this.zoom[0] || fine.end !== this.zoom[1]) return;
    this.fine = fine;
    this.renew();
  }

  // What plotly tells of a zoom, a shift or a double click.
  moved(change) {
    if (change.dragmode) this.dragmode = change.dragmode;
    for (const key of Object.keys(change)) {
      const axis = key.split(".")[0];
      if (!axis.startsWith("yaxis")) continue;
      if (key.endsWith(".autorange")) delete this.heights[axis];
      else this.heights[axis] = endsOf(change, axis) ?? this.heights[axis];
    }
    const ends = endsOf(change, "xaxis");
    if (ends) this.zoomTo(ends.map(timeOf));
    else if (change["xaxis.autorange"]) this.follow();
    else if (!this.zoom && Object.keys(this.heights).length) this.toggle();
  }

  // ---- partners with the same time axis

  join(name) {
    leaveGroup(this.groupName, this);
    this.groupName = name;
    this.group = joinGroup(name, this);
    this.renew();
  }

  each(work) {
    for (const other of this.group?.views ?? []) if (other !== this) work(other);
  }

  // ---- drawing

  draw() {
    if (!this.plotly) {
      this.load();
      setText(this.empty, this.data.x.length ? "Loading the chart …" : "No data yet");
      if (this.failure) {
        setText(this.empty, "The chart could not be loaded");
        throw this.failure;
      }
      return;
    }
    if (!this.told) this.tell(null, null); // a new view follows, whatever an old one did
    const { x, y } = this.data;
    const none = !y.some((values) => this.drawable(values));
    show(this.empty, none);
    if (none) setText(this.empty, x.length ? "No values to draw" : "No data yet");
    this.drawHead();
    if (this.version === this.data.version && !this.dirty) return;
    const asIs = this.zoom && !this.dirty && this.onlyBeyond();
    [this.version, this.base, this.total, this.dirty] = [this.data.version, this.data.base, this.data.total, false];
    if (!asIs) this.drawPlot();
  }

  // Whether what came since the last drawing lies after the zoom.
  onlyBeyond() {
    const { x, base, total } = this.data;
    const first = x[x.length - (total - this.total)] ?? x[x.length - 1];
    return base === this.base && first > this.zoom[1];
  }

  drawHead() {
    const [words, tone] = this.standing();
    if (words) badge(this.state, words, tone);
    show(this.state, words !== "");
    const stale = tone === "wait";
    this.root.classList.toggle("ag-stale", stale);
    const [back, hint] = this.over ? ["Show all", "Leave the zoom"] : ["Follow", "Follow the feed again"];
    setText(this.hold, this.zoom ? back : "Pause");
    this.hold.title = this.zoom ? hint : "Hold the time axis";
    show(this.hold, Boolean(this.zoom) || !this.over);
    this.hold.classList.toggle("ag-held", Boolean(this.zoom));
    if (!this.hovered) setText(this.value, this.setup.stats ? "" : this.newest(stale));
    if (this.setup.stats) this.drawFigures(stale);
  }

  // Whether the head says already that this is over.
  get over() {
    return Boolean(this.link.notice?.run?.over);
  }

  standing() {
    const { clock } = this.data;
    if (this.link.gone) return ["not live", "wait"];
    if (clock?.[2]) return [`${clock[2]} for ${formatAge(clock[0] - clock[1])}`, "wait"];
    if (clock?.[3] && !this.over && !this.zoom) return ["ended", "calm"];
    return this.zoom ? [this.over ? "zoomed" : "paused", "calm"] : ["", "calm"];
  }

  newest(stale) {
    const { x, y } = this.data;
    if (this.setup.lines.length !== 1 || x.length === 0) return "";
    const words = this.amount(y[0][x.length - 1]);
    return stale && words !== "–" ? `last ${words}` : words;
  }

  amount(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    return `${formatNumber(value, value >= 1000 ? 0 : undefined)} ${this.setup.lines[0].unit}`.trim();
  }

  drawFigures(stale) {
    const [mean, peak, at] = this.data.stats ?? [null, null, null];
    const now = this.data.y[0].findLast((value) => !Number.isNaN(value));
    const newest = stale || this.over || this.link.notice?.closed ? "Last" : "Current";
    const target = this.setup.rules.find((rule) => rule.kind === "target");
    const items = [
      [newest, this.amount(now)],
      ["Average", this.amount(mean)],
      ["Peak", this.amount(peak), at === null ? "" : `at ${formatTime(at).slice(0, 8)} UTC`],
    ];
    if (target) {
      const share = now === undefined ? "" : `${formatNumber((100 * now) / target.value, 0)} % reached`;
      items.push(["Target", this.amount(target.value), share]);
    }
    show(this.figures, this.data.x.length > 0);
    if (this.figures.children.length !== items.length) this.buildFigures(items.length);
    items.forEach(([key, value, more], i) => {
      const [term, text, note] = this.cells[i];
      setText(term, key);
      setText(text, value);
      setText(note, more ?? "");
    });
  }

  buildFigures(count) {
    this.cells = Array.from({ length: count }, () => [
      element("span", "ag-meta"),
      element("span", "ag-figure"),
      element("span", "ag-meta"),
    ]);
    const groups = this.cells.map((cells) => {
      const group = element("div", "ag-figure-of");
      group.append(...cells);
      return group;
    });
    this.figures.replaceChildren(...groups);
  }

  drawPlot() {
    const first = !this.made;
    this.made = true;
    const { x, y } = this.data.merged(this.zoom && this.fine);
    this.plotly.react(this.target, this.traces(x, y), this.layout(y), {
      displaylogo: false,
      showTips: false,
      displayModeBar: "hover",
      doubleClick: "autosize", // which is to follow; "reset" would go back to an old range
      modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d"]], // by name: others upload the chart
      plotlyServerURL: "",
    });
    if (!first) return;
    this.target.on("plotly_relayout", (change) => this.moved(change));
    this.target.on("plotly_hover", (event) => this.hover(event.points[0]));
    this.target.on("plotly_unhover", () => this.hover(null));
  }

  // The time under the pointer, here and in UTC.
  hover(point) {
    this.hovered = point !== null && point !== undefined;
    if (!this.hovered) {
      this.view.schedule();
      return;
    }
    const at = timeOf(point.x);
    setText(this.value, `${formatTime(at).slice(0, 8)} UTC, ${new Date(at).toLocaleTimeString("en-GB")} local`);
  }

  // Whether there is anything of a line to be seen; an axis without it has no numbers, which would be made up.
  drawable(values) {
    return values.some((value) => Number.isFinite(value) && (!this.setup.log || value > 0));
  }

  traces(x, y) {
    const inks = INKS[this.root.dataset.theme];
    const common = (line, i) => ({
      type: "scatter", name: line.name + (this.drawable(y[i]) ? "" : " (no values)"), yaxis: this.axisOf(line), color: inks[i % inks.length],
    });
    const made = this.setup.lines.map((line, i) => {
      const { color, ...rest } = common(line, i);
      const hovertemplate = `%{y:${hoverFormat(y[i])}} ${plain(line.unit)}`;
      const before = this.setup.lines.slice(0, i).filter((one) => one.panel === line.panel).length;
      const ink = { color, width: 1.8, dash: DASHES[before % DASHES.length] };
      return { ...rest, mode: "lines", x, y: y[i], line: ink, connectgaps: false, hovertemplate };
    });
    const dots = this.setup.lines.map((line, i) => {
      const { color, ...rest } = common(line, i);
      const marker = { color, size: 5 };
      return { ...rest, mode: "markers", ...lonePoints(x, y[i]), marker, hoverinfo: "skip", showlegend: false };
    });
    return [...made, ...dots];
  }

  axisOf(line) {
    const number = line.right ? this.setup.panels + 1 : line.panel + 1;
    return number === 1 ? "y" : `y${number}`;
  }

  // The range to show, or null to leave it to plotly: few points and nothing missing at the end.
  range() {
    if (this.zoom) return this.zoom;
    if (this.group) return this.shared();
    const { x, windowMs, clock } = this.data;
    if (x.length === 0 || (windowMs === null && !clock && x.length <= this.setup.show)) return null;
    return this.data.span(this.setup.show);
  }

  shared() {
    const span = spanOf(this.group.views);
    if (span && String(span) !== String(this.group.span)) {
      this.group.span = span;
      this.each((other) => other.renew());
    }
    return span;
  }

  ink(name) {
    return getComputedStyle(this.root).getPropertyValue(name).trim();
  }

  layout(y) {
    const text = this.ink("--ag-soft");
    const grid = this.ink("--ag-rule");
    const strong = this.ink("--ag-text");
    const font = { family: getComputedStyle(this.root).fontFamily, size: 11.5, color: text };
    const { lines } = this.setup;
    const layout = {
      autosize: true,
      margin: { l: 68, r: lines.some((line) => line.right) ? 68 : 16, t: lines.length > 1 ? 28 : 8, b: 36 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font,
      hovermode: "x unified",
      hoverlabel: { bgcolor: this.ink("--ag-card"), bordercolor: grid, font: { ...font, color: strong } },
      showlegend: lines.length > 1,
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font, uirevision: "kept" },
      dragmode: this.dragmode,
      modebar: { bgcolor: "rgba(0,0,0,0)", color: text, activecolor: strong },
      xaxis: this.timeAxis(grid),
    };
    this.addPanels(layout, grid, y);
    this.hideUnused(layout, y);
    const range = layout.xaxis.range ?? this.data.span(this.setup.show) ?? [0, 1];
    layout.shapes = [...this.shades(range), ...this.rules(layout.yaxis, y), ...this.markLines(range)];
    layout.annotations = [...this.markWords(range, font), ...this.farRules(layout.yaxis, y, font), utc(font)];
    return layout;
  }

  timeAxis(grid) {
    const { panels } = this.setup;
    const axis = {
      type: "date",
      anchor: panels > 1 ? `y${panels}` : "y",
      gridcolor: grid,
      linecolor: grid,
      zeroline: false,
      hoverformat: "%Y-%m-%d %H:%M:%S UTC",
      tickangle: 0,
      nticks: this.ticks(),
    };
    const range = this.range();
    if (!range) return axis;
    const [from, to] = range;
    return { ...axis, range: from < to ? [from, to] : [from - 500, to + 500], autorange: false };
  }

  addPanels(layout, grid, y) {
    const { panels, lines, height } = this.setup;
    const room = panels > 1 ? 18 / height : 0;
    const share = (1 - room * (panels - 1)) / panels;
    for (let panel = 0; panel < panels; panel += 1) {
      const line = lines.find((one) => one.panel === panel);
      const bottom = 1 - (panel + 1) * share - panel * room;
      const domain = [Math.max(0, bottom), Math.min(1, bottom + share)];
      this.addAxis(layout, panel + 1, line, { domain, gridcolor: grid, nticks: panels > 1 ? 4 : 6 });
    }
    const right = lines.find((line) => line.right);
    if (right) this.addAxis(layout, panels + 1, right, { overlaying: "y", side: "right", showgrid: false, tickmode: "auto", nticks: 6 });
    const { y_range: ends, log } = this.setup;
    if (ends && !this.heights.yaxis) {
      Object.assign(layout.yaxis, { range: log ? ends.map(Math.log10) : [...ends], autorange: false });
    }
  }

  // Plotly would make up numbers for an axis that nothing is drawn on.
  hideUnused(layout, y) {
    const used = this.setup.lines.filter((_, i) => this.drawable(y[i])).map((line) => this.axisOf(line));
    if (used.length) used.push("x");
    for (const [name, axis] of Object.entries(layout)) {
      if (/^.axis/.test(name) && !axis.range && !used.includes(name.replace("axis", ""))) axis.showticklabels = false;
    }
  }

  addAxis(layout, number, line, more) {
    const name = number === 1 ? "yaxis" : `yaxis${number}`;
    const percent = line.unit === "%";
    const words = percent ? "" : line.unit || line.name;
    // A panel that is too low for the words has them in the legend.
    const room = (this.setup.height - 64) / this.setup.panels;
    layout[name] = {
      type: this.setup.log ? "log" : "linear",
      zeroline: false,
      tickformat: percent ? "~g" : undefined,
      exponentformat: "SI",
      ticksuffix: percent ? "%" : "",
      title: words && 6.5 * words.length < room ? { text: plain(words), standoff: 4, font: { size: 11.5 } } : undefined,
      ...more,
    };
    const held = this.heights[name];
    if (held) Object.assign(layout[name], { range: [...held], autorange: false });
  }

  // ---- what lies behind and over the lines

  // Gaps, and the time since nothing comes that is due.
  shades(range) {
    const { gaps, clock, x, edge } = this.data;
    if (x.length === 0) return [];
    const [from, to] = range;
    const spans = gaps.map(([start, end, cause]) => [start, end ?? Math.max(edge, start), CAUSES.get(cause) ?? ""]);
    const open = gaps.some(([, end]) => end === null);
    if (clock?.[2] && !open) spans.push([clock[1], edge, clock[2]]);
    return spans
      .filter(([start, end]) => end >= from && start <= to)
      .map(([start, end, words]) => this.shade(Math.max(start, from), Math.min(end, to), words, range));
  }

  shade(x0, x1, words, range) {
    const wide = this.pixels(x1 - x0, range) > 6 * words.length + 12;
    return {
      type: "rect",
      xref: "x",
      yref: "paper",
      x0,
      x1,
      y0: 0,
      y1: 1,
      fillcolor: this.ink("--ag-gap"),
      line: { width: 1, color: this.ink("--ag-gap") },
      layer: "between", // over the grid, so that no line goes through the words
      label: wide ? { text: words, textposition: "top center", padding: 4, font: { size: 11, color: this.ink("--ag-soft") } } : undefined,
    };
  }

  pixels(ms, [from, to]) {
    return (ms / Math.max(1, to - from)) * Math.max(1, this.frame.clientWidth - 84);
  }

  // They stretch the axis, so those far from the data are left out, unless the reader chose the axis.
  rules(axis, y) {
    const color = this.ink("--ag-wait");
    const drawn = this.setup.rules.filter(({ value }) => axis.range || isNear(value, y[0]));
    const top = extent(y[0])[1];
    return drawn.map(({ kind, value, label }) => ({
      type: "line",
      xref: "paper",
      yref: "y",
      x0: 0,
      x1: 1,
      y0: value,
      y1: value,
      line: { color, width: 1.4, dash: kind === "threshold" ? "dash" : "dot" },
      label: { text: label, textposition: "start", yanchor: value > top ? "top" : "bottom", font: { size: 11, color } },
    }));
  }

  // A line that the axis does not reach is told at its edge.
  farRules(axis, y, font) {
    if (axis.range) return [];
    const color = this.ink("--ag-wait");
    const far = this.setup.rules.filter(({ value }) => !isNear(value, y[0]));
    return far.map(({ value, label }, i) => {
      const above = value > (y[0].find((one) => !Number.isNaN(one)) ?? value - 1);
      const place = { xref: "paper", yref: "paper", x: 0, y: above ? 1 : 0, xanchor: "left", showarrow: false };
      return { ...place, yanchor: above ? "top" : "bottom", yshift: -14 * i, text: `${above ? "↑" : "↓"} ${label}`, font: { ...font, color } };
    });
  }

  marksIn([from, to]) {
    return this.data.marks.filter(([at]) => at >= from && at <= to);
  }

  markLines(range) {
    const line = { color: this.ink("--ag-soft"), width: 1, dash: "dot" };
    const upright = { type: "line", xref: "x", yref: "paper", y0: 0, y1: 1, opacity: 0.6, line };
    return this.marksIn(range).map(([at]) => ({ ...upright, x0: at, x1: at }));
  }

  // Words where there is room, a sign elsewhere; the message when pointed at.
  markWords(range, font) {
    let free = -Infinity;
    return this.marksIn(range).map(([at, kind, message], i, all) => {
      const next = all[i + 1]?.[0] ?? range[1];
      const room = at >= free && this.pixels(next - at, range) >= MARK_PX;
      if (room) free = next;
      const words = room ? `▾ ${kind.toLowerCase().replaceAll("_", " ")}` : "▾";
      return {
        x: at,
        xref: "x",
        y: 1,
        yref: "paper",
        xanchor: "left",
        yanchor: "top",
        xshift: -5,
        showarrow: false,
        text: plain(words),
        hovertext: `${plain(message)}<br>${formatTime(at)} UTC`,
        captureevents: true,
        font: { ...font, size: 10.5 },
      };
    });
  }

  remove() {
    clearTimeout(this.retry);
    clearTimeout(this.asking);
    this.sizes.disconnect();
    this.data.onFine.delete(this.name);
    this.model.off("change:_group", this.regroup);
    leaveGroup(this.groupName, this);
    if (this.made) this.plotly.purge(this.target);
  }
}

// Whether a line at this value may stretch the axis: to twice what the data need, not more.
function isNear(value, values) {
  const [low, high] = extent(values);
  return value >= Math.min(low, low - (high - low)) / 2 && value <= Math.max(high * 2, high + (high - low));
}

// Numbers under the pointer as the axis has them, but in full: thousands apart, as many decimals as their size bears.
function hoverFormat(values) {
  const [low, high] = extent(values);
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size >= 1000) return ",.0f";
  return size >= 1 ? ",.2~f" : ",.4~r";
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function utc(font) {
  const place = { xref: "paper", yref: "paper", x: 1, y: 0, xanchor: "right", yanchor: "top", yshift: -20 };
  return { ...place, text: "UTC", showarrow: false, font: { ...font, size: 10 } };
}

export default defineWidget(
  (model) => new Points(model),
  (context) => new ChartView(context),
);
