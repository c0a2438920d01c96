// Lines over time. plotly.js comes from the kernel once a page; after that only new points travel, as float64.

const PLOTLY = "__aurigraph_plotly";
const TICK_PX = 96; // room for a time below the axis
const ASK_MS = 8000;
const ASK_TIMES = 4;

const INKS = {
  light: ["#1d5fd1", "#b3261e", "#00796b", "#8a5a00", "#7b3fb5", "#00718f", "#a0366f", "#4f6500"],
  dark: ["#7aa7ff", "#ff8a80", "#4dd0b5", "#ffc861", "#c49bff", "#5fcbe8", "#ff94c8", "#b7d159"],
};

// ---- plotly.js, one for all charts of a page

async function evaluate(gzipped) {
  const plain = new Blob([gzipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  const source = await new Response(plain).text();
  // As a module of its own it leaves nothing behind, and takes no notice of a module loader in the page.
  const wrapped = `const module={exports:{}},exports=module.exports,define=undefined;\n${source}\nexport default module.exports;`;
  const url = URL.createObjectURL(new Blob([wrapped], { type: "text/javascript" }));
  try {
    return (await import(/* webpackIgnore: true */ url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

// Asks the kernel through one chart; asks again when no answer comes, and gives up with a reason.
function fetchPlotly(link, points) {
  return new Promise((resolve, reject) => {
    let tries = 0;
    let timer;
    const ask = () => {
      if (link.gone || tries >= ASK_TIMES) {
        points.onScript = null;
        reject(new Error("plotly.js did not arrive from the kernel"));
        return;
      }
      tries += 1;
      link.say("plotly");
      timer = setTimeout(ask, ASK_MS * tries);
    };
    points.onScript = (bytes) => {
      points.onScript = null;
      clearTimeout(timer);
      evaluate(bytes).then(resolve, reject);
    };
    ask();
  });
}

// The one that every chart of the page shares; a failure is not shared, the next chart asks anew.
function plotly(link, points) {
  if (!globalThis[PLOTLY]) {
    globalThis[PLOTLY] = fetchPlotly(link, points);
    globalThis[PLOTLY].catch(() => {
      globalThis[PLOTLY] = null;
    });
  }
  return globalThis[PLOTLY];
}

// ---- data: the points, bounded; views remember how far they have drawn

class Points {
  constructor(model) {
    const setup = model.get("_setup");
    this.lines = setup.lines.length;
    this.keep = setup.points;
    this.windowMs = setup.window_ms;
    this.onScript = null;
    this.gaps = [];
    this.gapsVersion = 0;
    this.base = 0; // grows with every snapshot
    this.clear();
  }

  clear() {
    this.x = [];
    this.y = Array.from({ length: this.lines }, () => []);
    this.total = 0; // points ever taken since the snapshot
  }

  snapshot(message, buffers) {
    this.clear();
    this.base += 1;
    this.take(message, buffers);
  }

  delta(message, buffers) {
    if (message.reset) this.snapshot(message, buffers);
    else this.take(message, buffers);
  }

  take(message, buffers) {
    if (message.gaps) {
      this.gaps = message.gaps;
      this.gapsVersion += 1;
    }
    const values = floats(buffers[0]);
    const count = message.count;
    for (let i = 0; i < count; i += 1) this.x.push(values[i]);
    this.y.forEach((line, k) => {
      const start = count * (k + 1);
      for (let i = 0; i < count; i += 1) line.push(values[start + i]);
    });
    this.total += count;
    this.trim();
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
}

function floats(buffer) {
  // A DataView may start anywhere; a Float64Array has to start at a multiple of 8.
  const start = buffer.byteOffset ?? 0;
  const bytes = (buffer.buffer ?? buffer).slice(start, start + buffer.byteLength);
  return new Float64Array(bytes);
}

// ---- view

class ChartView {
  constructor({ link, data, model, root, body, view }) {
    this.link = link;
    this.data = data;
    this.root = root;
    this.view = view;
    this.setup = model.get("_setup");
    this.following = true;
    this.base = -1;
    this.total = 0;
    this.gapsVersion = -1;
    this.bar = header(body, this.setup.title);
    this.value = element("span", "ag-meta");
    this.bar.append(this.value);
    this.frame = element("div", "ag-plot");
    this.frame.style.height = `${this.setup.height}px`;
    this.frame.setAttribute("role", "img");
    this.frame.setAttribute("aria-label", `${this.setup.title}, chart over time`);
    this.target = element("div", "ag-plotly");
    this.empty = element("div", "ag-empty", "No data yet");
    this.frame.append(this.target, this.empty);
    body.append(this.frame);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.frame);
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
    this.target.layout.xaxis.nticks = this.ticks();
    this.plotly.Plots.resize(this.target);
  }

  // As many times as fit side by side.
  ticks() {
    return Math.max(2, Math.min(8, Math.floor((this.frame.clientWidth - 88) / TICK_PX)));
  }

  theme() {
    if (!this.made) return;
    this.base = -1;
    this.view.schedule();
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
    const none = this.data.x.length === 0;
    show(this.empty, none);
    if (none) setText(this.empty, "No data yet");
    setText(this.value, this.newest());
    const changed = this.base !== this.data.base || this.total !== this.data.total;
    if (!changed && this.gapsVersion === this.data.gapsVersion) return;
    const missing = this.data.total - this.total;
    const whole = !this.made || this.base !== this.data.base || missing > this.data.x.length;
    if (whole) this.drawAll();
    else this.extend(missing);
    this.base = this.data.base;
    this.total = this.data.total;
    this.gapsVersion = this.data.gapsVersion;
  }

  newest() {
    const { x, y } = this.data;
    if (this.setup.lines.length !== 1 || x.length === 0) return "";
    const value = y[0][x.length - 1];
    const unit = this.setup.lines[0].unit;
    return Number.isNaN(value) ? "" : `${formatNumber(value, value >= 1000 ? 0 : undefined)} ${unit}`.trim();
  }

  drawAll() {
    const { x, y } = this.data;
    const inks = INKS[this.root.dataset.theme];
    const traces = this.setup.lines.map((line, i) => ({
      type: "scatter",
      mode: "lines",
      name: line.name,
      x: x.slice(),
      y: y[i].slice(),
      yaxis: line.panel === 0 ? "y" : `y${line.panel + 1}`,
      line: { color: inks[i % inks.length], width: 1.8 },
      connectgaps: false,
      hovertemplate: `%{y:,.6~g} ${line.unit}`,
    }));
    const first = !this.made;
    this.made = true;
    this.plotly.react(this.target, traces, this.layout(), {
      displaylogo: false,
      responsive: false,
      displayModeBar: "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    });
    if (first) this.target.on("plotly_relayout", (change) => this.moved(change));
  }

  extend(missing) {
    const { x, y } = this.data;
    this.follow(this.target.layout);
    if (missing === 0) {
      this.plotly.relayout(this.target, { shapes: this.shapes() });
      return;
    }
    const start = x.length - missing;
    const times = x.slice(start);
    const update = { x: y.map(() => times), y: y.map((line) => line.slice(start)) };
    this.plotly.extendTraces(this.target, update, y.map((_, i) => i), x.length);
  }

  // The user's zoom holds until a double click.
  moved(change) {
    if ("xaxis.range[0]" in change || "xaxis.range" in change) this.following = false;
    if (change["xaxis.autorange"]) {
      this.following = true;
      this.base = -1;
      this.view.schedule();
    }
  }

  follow(layout) {
    layout.shapes = this.shapes();
    const range = this.range();
    if (!this.following || !range) return;
    layout.xaxis.range = range;
    layout.xaxis.autorange = false;
  }

  range() {
    const { x, windowMs } = this.data;
    const { show: most } = this.setup;
    if (x.length === 0 || (windowMs === null && x.length <= most)) return null;
    const last = x[x.length - 1];
    return [windowMs === null ? x[x.length - most] : Math.max(x[0], last - windowMs), last];
  }

  shapes() {
    const { x, gaps } = this.data;
    if (x.length === 0) return [];
    const shade = this.ink("--ag-gap", "rgba(128,128,128,.2)");
    const [from, to] = [x[0], x[x.length - 1]];
    return gaps
      .filter(([, end]) => end === null || end >= from)
      .map(([start, end]) => ({
        type: "rect",
        xref: "x",
        yref: "paper",
        x0: Math.max(start, from),
        x1: end === null ? Math.max(to, start) : end,
        y0: 0,
        y1: 1,
        fillcolor: shade,
        line: { width: 0 },
        layer: "below",
      }));
  }

  ink(name, otherwise) {
    return getComputedStyle(this.root).getPropertyValue(name).trim() || otherwise;
  }

  layout() {
    const text = this.ink("--ag-soft", "#666");
    const grid = this.ink("--ag-rule", "#ddd");
    const paper = this.ink("--ag-card", "#fff");
    const font = { family: getComputedStyle(this.root).fontFamily, size: 11.5, color: text };
    const { panels, lines } = this.setup;
    const old = this.made && this.target.layout ? this.target.layout : null;
    const layout = {
      autosize: true,
      margin: { l: panels > 1 ? 72 : 56, r: 16, t: 8, b: 36 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font,
      hovermode: "x unified",
      hoverlabel: { bgcolor: paper, bordercolor: grid, font: { ...font, color: this.ink("--ag-text", "#111") } },
      showlegend: lines.length > 1,
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font },
      dragmode: "zoom",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: text, activecolor: this.ink("--ag-text", "#111") },
      shapes: this.shapes(),
      xaxis: {
        type: "date",
        anchor: panels > 1 ? `y${panels}` : "y",
        gridcolor: grid,
        linecolor: grid,
        zeroline: false,
        hoverformat: "%Y-%m-%d %H:%M:%S UTC",
        automargin: false,
        tickangle: 0,
        nticks: this.ticks(),
      },
    };
    const range = this.range();
    if (!this.following && old?.xaxis?.range) Object.assign(layout.xaxis, { range: old.xaxis.range, autorange: false });
    else if (range) Object.assign(layout.xaxis, { range, autorange: false });
    if (lines.length > 1) layout.margin.t = 28;
    this.addPanels(layout, grid);
    return layout;
  }

  addPanels(layout, grid) {
    const { panels, lines, height } = this.setup;
    const room = panels > 1 ? 18 / height : 0;
    const share = (1 - room * (panels - 1)) / panels;
    for (let panel = 0; panel < panels; panel += 1) {
      const line = lines.find((one) => one.panel === panel);
      const bottom = 1 - (panel + 1) * share - panel * room;
      layout[panel === 0 ? "yaxis" : `yaxis${panel + 1}`] = {
        domain: [Math.max(0, bottom), Math.min(1, bottom + share)],
        gridcolor: grid,
        zeroline: false,
        nticks: panels > 1 ? 4 : 6,
        tickformat: line.unit === "%" ? "~g" : undefined,
        exponentformat: "SI",
        ticksuffix: line.unit === "%" ? "%" : "",
        fixedrange: false,
        title: panels > 1 && line.unit && line.unit !== "%" ? { text: line.unit, standoff: 4 } : undefined,
      };
    }
  }

  remove() {
    clearTimeout(this.retry);
    this.sizes.disconnect();
    if (this.made) this.plotly.purge(this.target);
  }
}

export default defineWidget(
  (model) => new Points(model),
  (context) => new ChartView(context),
);
