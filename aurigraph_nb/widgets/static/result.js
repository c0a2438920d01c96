// An answer that is made again and again: one big value, the line that reads it, its figure, its past, its first rows.

const PAST_INK = { light: "#1d5fd1", dark: "#7aa7ff" };
const PLOT_OPTIONS = {
  displaylogo: false,
  responsive: false,
  displayModeBar: "hover",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

// ---- data

class Answers {
  constructor() {
    this.answer = null;
    this.figure = null;
    this.at = null;
    this.work = null;
    this.times = [];
    this.values = [];
    this.version = 0;
    this.onScript = null;
  }

  snapshot(message, buffers) {
    this.answer = message.answer;
    this.work = message.work;
    this.version += 1;
    if (this.answer === null) return;
    this.at = message.at;
    const numbers = resultFloats(buffers[0]);
    this.times = Array.from(numbers.slice(0, message.count));
    // A page draws nothing for null; NaN would do as well, but no JSON of a download holds it.
    this.values = Array.from(numbers.slice(message.count), (value) => (Number.isNaN(value) ? null : value));
    this.figure = figureOf(buffers[1]);
  }

  delta(message, buffers) {
    if (message.answer !== undefined) this.snapshot(message, buffers);
  }

  other(message, buffers) {
    if (message.kind === "plotly") this.onScript?.(buffers[0]);
  }
}

function resultBytes(buffer) {
  const start = buffer.byteOffset ?? 0;
  return (buffer.buffer ?? buffer).slice(start, start + buffer.byteLength);
}

function resultFloats(buffer) {
  return new Float64Array(resultBytes(buffer)); // a copy: it has to start at a multiple of 8
}

function figureOf(buffer) {
  if (!buffer || buffer.byteLength === 0) return null;
  return JSON.parse(new TextDecoder().decode(resultBytes(buffer)));
}

function workWords(work, every) {
  if (!work) return "";
  const parts = [`every ${every < 120 ? `${formatNumber(every)} s` : formatAge(every * 1000)}`];
  if (work.took_s !== null) parts.push(`takes ${formatNumber(work.took_s, work.took_s < 10 ? 2 : 0)} s`);
  if (work.skipped) parts.push(`${formatNumber(work.skipped)} skipped`);
  return parts.join(" · ");
}

// ---- views

class ResultView {
  constructor({ link, data, model, root, body, view }) {
    this.link = link;
    this.data = data;
    this.root = root;
    this.view = view;
    this.setup = model.get("_setup");
    this.version = -1;
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", this.setup.title);
    const bar = header(body, this.setup.title);
    this.work = element("span", "ag-meta");
    this.time = element("span", "ag-meta");
    bar.append(this.work, this.time);
    this.empty = element("div", "ag-empty", "No result yet");
    this.full = element("div", "ag-result");
    this.value = element("div", "ag-result-value");
    this.reading = element("p", "ag-result-reading");
    this.notes = element("ul", "ag-result-notes");
    this.plots = element("div", "ag-result-plots");
    this.now = this.newPlot("ag-result-now");
    this.past = this.newPlot("ag-result-past");
    this.plots.append(this.now.frame, this.past.frame);
    this.buildTable();
    this.full.append(this.value, this.reading, this.notes, this.plots, this.scroll, this.more);
    body.append(this.empty, this.full);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.plots);
  }

  newPlot(name) {
    const frame = element("div", `ag-result-plot ${name}`);
    frame.style.height = `${this.setup.height}px`;
    frame.setAttribute("role", "img");
    frame.hidden = true;
    const target = element("div", "ag-plotly");
    frame.append(target);
    return { frame, target, made: false };
  }

  buildTable() {
    this.scroll = element("div", "ag-result-scroll");
    this.scroll.tabIndex = 0; // so that the keyboard can scroll it
    this.scroll.setAttribute("role", "group");
    this.scroll.setAttribute("aria-label", `${this.setup.title}, first rows`);
    this.table = element("table", "ag-grid");
    this.head = element("thead");
    this.rows = element("tbody");
    this.table.append(this.head, this.rows);
    this.scroll.append(this.table);
    this.more = element("div", "ag-meta");
  }

  theme() {
    this.version = -1;
    this.view.schedule();
  }

  // ---- drawing

  draw() {
    const { answer, at, work } = this.data;
    show(this.empty, answer === null);
    show(this.full, answer !== null);
    setText(this.work, workWords(work, this.setup.every_s));
    setText(this.time, at === null ? "" : `${formatTime(at).slice(0, 8)} UTC`);
    if (answer === null) return;
    if (this.version !== this.data.version) {
      this.drawWords(answer);
      this.drawTable(answer);
    }
    this.drawPlots(answer);
  }

  drawWords(answer) {
    const known = answer.value !== "–";
    show(this.value, known);
    const unit = element("span", "ag-result-unit", answer.unit);
    this.value.replaceChildren(element("span", "ag-result-number", answer.value), unit);
    setText(this.reading, answer.reading);
    show(this.notes, answer.notes.length > 0);
    this.notes.replaceChildren(...answer.notes.map((note) => element("li", "", note)));
  }

  drawTable(answer) {
    const { columns, rows } = answer;
    show(this.scroll, rows.length > 0);
    const names = element("tr");
    for (const [name, numeric] of columns) {
      const cell = element("th", numeric ? "ag-num" : "", name);
      cell.scope = "col";
      names.append(cell);
    }
    this.head.replaceChildren(names);
    this.rows.replaceChildren(
      ...rows.map((row) => {
        const line = element("tr");
        line.append(...row.map((cell, i) => element("td", columns[i][1] ? "ag-num" : "", cell)));
        return line;
      }),
    );
    const left = [];
    if (answer.more_rows) left.push(`${formatNumber(answer.more_rows)} more rows`);
    if (answer.more_columns) left.push(`${formatNumber(answer.more_columns)} more columns`);
    show(this.more, left.length > 0);
    setText(this.more, left.length ? `… and ${left.join(" and ")} in .latest.table` : "");
  }

  // ---- plots

  drawPlots(answer) {
    const { figure, values } = this.data;
    const past = values.filter((value) => value !== null).length > 1;
    show(this.now.frame, figure !== null);
    show(this.past.frame, past);
    show(this.plots, figure !== null || past);
    if (figure === null && !past) {
      this.version = this.data.version;
      return;
    }
    if (!this.plotly) {
      this.load();
      if (this.failure) throw this.failure;
      return;
    }
    if (this.version === this.data.version) return;
    this.version = this.data.version;
    if (figure !== null) this.plot(this.now, figure.data, this.layoutOf(figure.layout), answer.reading);
    if (past) this.plot(this.past, [this.pastLine()], this.pastLayout(answer), `${this.setup.title} so far`);
  }

  plot(place, traces, layout, label) {
    place.frame.setAttribute("aria-label", `Figure: ${label}`);
    this.plotly.react(place.target, traces, layout, PLOT_OPTIONS);
    place.made = true;
  }

  layoutOf(given) {
    const font = this.font();
    return {
      ...given,
      ...this.common(),
      font: { ...given.font, ...font },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font },
      margin: { l: 60, r: 16, t: given.showlegend ? 30 : 12, b: 44 },
      xaxis: { ...given.xaxis, automargin: true },
      yaxis: { ...given.yaxis, automargin: true },
    };
  }

  pastLine() {
    const ink = PAST_INK[this.root.dataset.theme] ?? PAST_INK.light;
    const { times, values } = this.data;
    return {
      type: "scatter",
      mode: times.length <= 60 ? "lines+markers" : "lines",
      x: times,
      y: values,
      line: { color: ink, width: 1.8 },
      connectgaps: false,
      hovertemplate: "%{y:,.6~g}<extra></extra>",
    };
  }

  pastLayout(answer) {
    const grid = this.ink("--ag-rule", "#ddd");
    const axis = { gridcolor: grid, linecolor: grid, zeroline: false };
    return {
      ...this.common(),
      font: this.font(),
      showlegend: false,
      margin: { l: 60, r: 16, t: 12, b: 44 },
      xaxis: { ...axis, type: "date", title: { text: "UTC" }, nticks: 5, tickangle: 0 },
      yaxis: { ...axis, title: { text: plainLabel(answer.unit) }, exponentformat: "SI" },
    };
  }

  common() {
    return {
      autosize: true,
      height: undefined,
      width: undefined,
      title: undefined, // it stands above, as text
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: this.ink("--ag-soft", "#666") },
    };
  }

  font() {
    return { family: getComputedStyle(this.root).fontFamily, size: 11.5, color: this.ink("--ag-soft", "#666") };
  }

  ink(name, otherwise) {
    return getComputedStyle(this.root).getPropertyValue(name).trim() || otherwise;
  }

  load() {
    if (this.loading) return;
    this.loading = true;
    plotly(this.link, this.data).then(
      (library) => {
        this.plotly = library;
        this.failure = null;
        this.version = -1;
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
    for (const { made, frame, target } of [this.now, this.past]) {
      if (made && !frame.hidden && frame.clientWidth > 0) this.plotly.Plots.resize(target);
    }
  }

  remove() {
    clearTimeout(this.retry);
    this.sizes.disconnect();
    for (const { made, target } of [this.now, this.past]) {
      if (made) this.plotly.purge(target);
    }
  }
}

// plotly reads a little HTML in its labels; a unit is only ever text.
function plainLabel(words) {
  return String(words).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

export default defineWidget(
  () => new Answers(),
  (context) => new ResultView(context),
);
