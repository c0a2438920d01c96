// A table that is kept up to date row by row: sort, filter, changed cells marked. Only rows in sight are in the page.

const ROW_PX = 28;
const OVERSCAN = 6;
const MARK_MS = 1600; // how long a changed cell is marked
const FADE_MS = 600; // how long a new row fades in
const SORT_KINDS = new Set(["number", "time", "gauge"]);

// ---- data: rows by key, and their order

class Rows {
  constructor(model) {
    const setup = model.get("_setup");
    const ui = model.get("_ui") ?? {};
    this.columns = setup.columns;
    this.newestFirst = setup.newest_first;
    this.keep = setup.keep;
    this.rows = new Map(); // key -> {key, cells, marks, since, until}
    this.caption = {};
    this.filter = typeof ui.filter === "string" ? ui.filter : "";
    const known = Number.isInteger(ui.sort) && ui.sort >= 0 && ui.sort < this.columns.length;
    this.home = setup.sort ?? null; // the order to come back to; null: that of arrival
    this.sort = known ? { column: ui.sort, down: Boolean(ui.down) } : this.home;
    // Whole rows are marked for so long: new ones fade in, ended ones stay, struck through. 0: single cells are.
    this.rowMarkMs = setup.row_mark_ms ?? 0;
    this.order = null; // keys as shown; null: to be made anew
    this.filled = new Set(); // columns in which any row has a value
    this.marked = 0; // until when some cell is marked
    this.merged = 0;
  }

  snapshot(message) {
    this.rows.clear();
    this.filled.clear();
    this.order = null;
    this.put(message, false);
  }

  delta(message) {
    if (message.reset) this.rows.clear();
    this.put(message, !message.reset);
  }

  put(message, mark) {
    if (message.reset) this.order = null;
    for (const key of message.removed ?? []) {
      this.end(key, mark);
    }
    const now = performance.now();
    const lively = this.rowMarkMs > 0 && mark && !reducedMotion();
    for (const [key, ...cells] of message.rows ?? []) this.putRow(key, cells, mark, now, lively);
    for (const [key, ms] of message.fresh ?? []) {
      const row = this.rows.get(key);
      if (row && !row.updated) row.until = now + Math.min(ms, 60000);
    }
    while (this.rows.size > this.keep) {
      this.rows.delete(this.rows.keys().next().value);
      this.order = null;
    }
    if (message.caption) this.caption = message.caption;
  }

  // A row has gone; where rows are marked it stays for a while.
  end(key, mark) {
    const row = this.rows.get(key);
    if (!row) return;
    if (mark && this.rowMarkMs > 0 && !reducedMotion()) {
      row.endedUntil = performance.now() + this.rowMarkMs;
      row.changedUntil = 0;
      this.marked = Math.max(this.marked, row.endedUntil);
      return;
    }
    this.rows.delete(key);
    this.order = null;
  }

  // Ended rows leave when their time is over.
  sweep(now) {
    for (const [key, row] of this.rows) {
      if (row.endedUntil > 0 && row.endedUntil <= now) {
        this.rows.delete(key);
        this.order = null;
      }
    }
  }

  putRow(key, cells, mark, now, lively) {
    const old = this.rows.get(key);
    cells.forEach((cell, i) => {
      if (cell !== null) this.filled.add(i);
    });
    if (!old) {
      const fadeUntil = lively ? now + FADE_MS : 0;
      this.rows.set(key, {
        key, cells, marks: null, since: 0, until: 0, updated: false, fadeUntil, changedUntil: 0, endedUntil: 0,
      });
      this.order = null;
      return;
    }
    old.updated = true;
    old.endedUntil = 0;
    if (lively && cells.some((cell, i) => cell !== old.cells[i])) {
      old.changedUntil = now + this.rowMarkMs;
      this.marked = Math.max(this.marked, old.changedUntil);
    } else if (mark && this.rowMarkMs === 0) {
      old.marks = cells.map((cell, i) => changeOf(old.cells[i], cell, this.columns[i].kind));
      old.since = now;
      this.marked = now + MARK_MS;
    }
    if (this.filter !== "" || (this.sort && old.cells[this.sort.column] !== cells[this.sort.column])) this.order = null;
    old.cells = cells;
  }

  shown() {
    if (this.order === null) {
      let keys = [...this.rows.keys()];
      if (this.newestFirst) keys.reverse();
      const wanted = this.filter.trim().toLowerCase();
      if (wanted) keys = keys.filter((key) => this.matches(this.rows.get(key), wanted));
      if (this.sort) keys = sortKeys(keys, this.rows, this.columns[this.sort.column].kind, this.sort);
      this.order = keys;
    }
    return this.order;
  }

  matches(row, wanted) {
    return row.cells.some(
      (cell, i) => cell !== null && cellText(cell, this.columns[i]).toLowerCase().includes(wanted),
    );
  }

  sortBy(column) {
    const same = this.sort?.column === column;
    // Third press: back to the order in which rows came.
    this.sort = same && this.sort.down !== SORT_KINDS.has(this.columns[column].kind)
      ? this.home
      : { column, down: same ? !this.sort.down : SORT_KINDS.has(this.columns[column].kind) };
    this.order = null;
  }

  filterBy(text) {
    this.filter = text;
    this.order = null;
  }
}

// How a cell changed: 1 up, -1 down, 0 otherwise, null not at all.
function changeOf(before, after, kind) {
  if (before === after || kind === "time") return null;
  if (kind !== "number" || before === null || after === null) return 0;
  return compare(before, after, kind) < 0 ? 1 : -1;
}

function compare(a, b, kind) {
  if (SORT_KINDS.has(kind)) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    const [p, q] = [wholeOf(a), wholeOf(b)];
    if (p !== null && q !== null) return p < q ? -1 : p > q ? 1 : 0;
    const [x, y] = [Number(a), Number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  }
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

function wholeOf(value) {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : null;
  return /^-?\d{1,60}$/.test(value) ? BigInt(value) : null;
}

// Rows without a value come last, whatever the direction; equal ones keep their order.
function sortKeys(keys, rows, kind, { column, down }) {
  const sign = down ? -1 : 1;
  const value = (key) => rows.get(key).cells[column];
  return keys.sort((p, q) => {
    const [a, b] = [value(p), value(q)];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return sign * compare(a, b, kind);
  });
}

function cellText(value, column) {
  if (value === null || value === undefined) return "–";
  if (column.kind === "number" || column.kind === "gauge") return formatNumber(value, column.digits);
  if (column.kind === "time") return column.digits === 0 ? formatTime(value).slice(0, 8) : formatTime(value);
  return String(value);
}

// A share of 100, with a warning from 75 on.
function drawFill(fill, value) {
  const share = typeof value === "number" ? Math.max(0, Math.min(100, value)) : 0;
  fill.style.width = `${share}%`;
  fill.className = `ag-mini-fill ag-fill-${share >= 90 ? "bad" : share >= 75 ? "wait" : "good"}`;
}

// ---- view

class TableView {
  constructor({ data, model, body, view, link }) {
    this.data = data;
    this.model = model;
    this.view = view;
    this.link = link;
    this.columns = data.columns;
    const setup = model.get("_setup");
    const bar = header(body, setup.title);
    this.buildCaption(bar);
    this.buildFilter(bar, setup.title);
    if (setup.clear) clearButton(bar, link, setup.clear);
    this.buildGrid(body, setup);
    this.empty = element("div", "ag-empty", "No data yet");
    this.scroll.append(this.empty);
    this.pool = [];
    this.columnsShown = "";
  }

  buildCaption(bar) {
    this.badge = element("span", "ag-badge");
    this.bar = element("span", "ag-mini");
    this.fill = element("span", "ag-mini-fill");
    this.bar.append(this.fill);
    this.caption = element("span", "ag-meta");
    bar.append(this.caption, this.bar, this.badge);
  }

  buildFilter(bar, title) {
    this.input = element("input", "ag-filter");
    this.input.type = "search";
    this.input.placeholder = "Filter";
    this.input.value = this.data.filter;
    this.input.setAttribute("aria-label", `Filter ${title}`);
    this.input.addEventListener("input", () => {
      this.data.filterBy(this.input.value);
      this.keepUi();
      this.scroll.scrollTop = 0;
      this.link.refresh();
    });
    // JupyterLab has shortcuts on plain keys; typing here is only typing.
    this.input.addEventListener("keydown", (event) => event.stopPropagation());
    bar.append(this.input);
  }

  buildGrid(body, setup) {
    this.scroll = element("div", "ag-scroll");
    this.scroll.tabIndex = 0;
    this.scroll.style.height = `${setup.height}px`;
    this.scroll.setAttribute("role", "group");
    this.scroll.setAttribute("aria-label", `${setup.title}, rows`);
    this.scroll.addEventListener("scroll", () => this.view.schedule(), { passive: true });
    this.table = element("table", "ag-grid");
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-label", setup.title);
    this.table.setAttribute("aria-colcount", this.columns.length);
    this.group = element("colgroup");
    this.cols = this.columns.map((column) => {
      const col = element("col");
      col.style.width = `${column.width}ch`;
      this.group.append(col);
      return col;
    });
    this.head = element("thead");
    this.heads = this.columns.map((column, i) => this.buildHead(column, i));
    const row = element("tr");
    row.setAttribute("role", "row");
    row.append(...this.heads);
    this.head.append(row);
    this.above = this.spacer();
    this.rowsBody = element("tbody");
    this.below = this.spacer();
    this.table.append(this.group, this.head, this.above, this.rowsBody, this.below);
    this.scroll.append(this.table);
    body.append(this.scroll);
  }

  // Stands for the rows that are out of sight.
  spacer() {
    const part = element("tbody", "ag-space");
    part.setAttribute("role", "presentation");
    const row = element("tr");
    row.setAttribute("role", "presentation");
    const cell = element("td");
    cell.colSpan = this.columns.length;
    row.append(cell);
    part.append(row);
    return part;
  }

  buildHead(column, i) {
    const head = element("th", column.kind === "number" || column.kind === "gauge" ? "ag-num" : "");
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    head.setAttribute("aria-colindex", i + 1);
    const button = element("button", "ag-sort");
    button.type = "button";
    const label = element("span", "ag-label", column.label);
    button.append(label);
    if (column.unit) button.append(element("span", "ag-unit", column.unit));
    button.append(element("span", "ag-arrow"));
    button.title = `Sort by ${column.label}${column.unit ? ` (${column.unit})` : ""}`;
    button.addEventListener("click", () => {
      this.data.sortBy(i);
      this.keepUi();
      this.link.refresh();
    });
    button.addEventListener("keydown", (event) => event.stopPropagation());
    head.append(button);
    return head;
  }

  // Sort and filter survive a reload of the page.
  keepUi() {
    const { sort, filter, home } = this.data;
    this.model.set("_ui", { ...(sort && sort !== home ? { sort: sort.column, down: sort.down } : {}), filter: filter.slice(0, 200) });
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), 300);
  }

  draw() {
    if (this.data.rowMarkMs > 0) this.data.sweep(performance.now());
    const order = this.data.shown();
    this.drawCaption();
    this.drawHeads();
    this.drawRows(order);
    const none = order.length === 0;
    show(this.empty, none);
    if (none) setText(this.empty, this.data.rows.size ? "No row matches the filter" : "No data yet");
    const now = performance.now();
    if (this.data.marked > now || this.freshUntil > now) this.lookAgain();
  }

  lookAgain() {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.view.schedule(), this.data.rowMarkMs > 0 ? 200 : 500);
  }

  drawCaption() {
    const { text, hint, badge: word, bar } = this.data.caption;
    setText(this.caption, text ?? "");
    this.caption.title = hint ?? "";
    show(this.bar, typeof bar === "number");
    if (typeof bar === "number") {
      const share = Math.max(0, Math.min(1, bar));
      this.fill.style.width = `${share * 100}%`;
      this.fill.className = `ag-mini-fill ag-fill-${share < 0.5 ? "bad" : share < 0.8 ? "wait" : "good"}`;
    }
    show(this.badge, Boolean(word));
    if (word) badge(this.badge, word);
  }

  drawHeads() {
    const { sort, filled } = this.data;
    this.heads.forEach((head, i) => {
      const hidden = Boolean(this.columns[i].optional) && !filled.has(i);
      show(head, !hidden);
      this.cols[i].style.display = hidden ? "none" : "";
      const direction = sort?.column === i ? (sort.down ? "descending" : "ascending") : "none";
      head.setAttribute("aria-sort", direction);
    });
    const width = this.columns.reduce((sum, c, i) => sum + (this.heads[i].hidden ? 0 : c.width), 0);
    this.table.style.minWidth = `${width}ch`;
  }

  drawRows(order) {
    const fits = Math.ceil(this.scroll.clientHeight / ROW_PX) + 2 * OVERSCAN;
    const top = Math.floor(this.scroll.scrollTop / ROW_PX) - OVERSCAN;
    const first = Math.max(0, Math.min(top, order.length - fits));
    const count = Math.min(fits, order.length - first);
    while (this.pool.length < count) this.pool.push(this.newRow());
    while (this.pool.length > count) this.pool.pop().row.remove();
    this.space(this.above, first);
    this.space(this.below, order.length - first - count);
    this.table.setAttribute("aria-rowcount", order.length + 1);
    const now = performance.now();
    this.freshUntil = 0;
    for (let i = 0; i < count; i += 1) this.drawRow(this.pool[i], order[first + i], first + i, now);
  }

  space(part, rows) {
    show(part, rows > 0);
    part.rows[0].cells[0].style.height = `${rows * ROW_PX}px`;
  }

  newRow() {
    const row = element("tr");
    row.setAttribute("role", "row");
    const cells = this.columns.map((column, i) => {
      const cell = element("td", `ag-${column.kind}`);
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", i + 1);
      const content = element("span", "ag-value");
      cell.append(content);
      row.append(cell);
      if (column.kind !== "gauge") return { cell, content };
      const bar = element("span", "ag-mini");
      const fill = element("span", "ag-mini-fill");
      bar.setAttribute("aria-hidden", "true"); // the number beside it says the same
      bar.append(fill);
      cell.prepend(bar);
      return { cell, content, fill };
    });
    const fresh = element("span", "ag-new", "NEW");
    cells[0].cell.append(fresh);
    this.rowsBody.append(row);
    return { row, cells, fresh };
  }

  drawRow(slot, key, index, now) {
    const item = this.data.rows.get(key);
    slot.row.setAttribute("aria-rowindex", index + 2);
    slot.row.classList.toggle("ag-odd", index % 2 === 1);
    const fresh = item.until > now;
    show(slot.fresh, fresh);
    if (fresh) this.freshUntil = Math.max(this.freshUntil, item.until);
    const marked = item.marks !== null && now - item.since < MARK_MS;
    if (!marked) item.marks = null;
    if (this.data.rowMarkMs > 0) this.drawRowMarks(slot, item, now);
    this.columns.forEach((column, i) => {
      const { cell, content, fill } = slot.cells[i];
      show(cell, !this.heads[i].hidden);
      if (fill) drawFill(fill, item.cells[i]);
      this.drawCell(cell, content, item.cells[i], column);
      this.drawMark(cell, slot, i, marked ? item : null);
    });
    slot.key = key;
  }

  drawRowMarks(slot, item, now) {
    slot.row.classList.toggle("ag-row-in", item.fadeUntil > now);
    slot.row.classList.toggle("ag-row-changed", item.changedUntil > now);
    slot.row.classList.toggle("ag-row-ended", item.endedUntil > now);
    slot.row.title = item.endedUntil > now ? "Ended" : "";
  }

  drawCell(cell, content, value, column) {
    if (column.kind === "badge") {
      badge(content, value);
      return;
    }
    const text = cellText(value, column);
    setText(content, text);
    const title = column.kind === "time" && value !== null ? (isoTime(value) ?? "") : text === "–" ? "" : text;
    if (cell.title !== title) cell.title = title;
  }

  // Restarts the flash when the cell changes again, or when the slot shows another row.
  drawMark(cell, slot, i, item) {
    const change = item ? item.marks[i] : null;
    const stamp = change === null ? "" : `${item.key}/${item.since}`;
    if (cell.dataset.mark === stamp || (stamp === "" && !cell.dataset.mark)) return;
    cell.classList.remove("ag-up", "ag-down", "ag-changed");
    if (stamp !== "") {
      void cell.offsetWidth;
      cell.classList.add(change > 0 ? "ag-up" : change < 0 ? "ag-down" : "ag-changed");
    }
    cell.dataset.mark = stamp;
  }

  remove() {
    clearTimeout(this.again);
  }
}

export default defineWidget(
  (model) => new Rows(model),
  (context) => new TableView(context),
);
