// The rows of a table by key, and which of them are shown, in which order. Python knows the same rules (shown.py).

const ROW_PX = 28;
const DETAIL_PX = 148;
const OVERSCAN = 6;
const MARK_MS = 1600; // how long a changed cell is marked
const FADE_MS = 600; // how long a new row fades in
const HOLD_MS = 600000; // a row that the kernel will end is new for no longer than that
const MOST_SORTS = 4;
const LEAST_COLUMNS = 3; // those stay, however little room there is
const TIGHTEST = 0.82; // columns may be so much narrower before one of them goes
const SORT_KINDS = new Set(["number", "time", "gauge"]);
const isNumeric = ({ kind }) => kind === "number" || kind === "gauge";

class Rows {
  constructor(model) {
    const setup = model.get("_setup");
    const ui = model.get("_ui") ?? {};
    this.columns = setup.columns;
    this.newestFirst = setup.newest_first;
    this.keep = setup.keep;
    this.rows = new Map(); // key -> {key, cells, marks, since, until, …}
    this.frozen = null; // the rows as they were when the reader paused
    this.came = 0; // rows since then
    this.caption = {};
    this.totals = [];
    this.history = []; // [number, key, ms, severity, words]
    this.keepHistory = setup.history ?? 0;
    this.open = null; // key of the row whose details are shown
    this.details = [];
    this.selected = new Set(model.get("selected") ?? []);
    this.filter = typeof ui.filter === "string" ? ui.filter : "";
    this.filters = this.byColumn(ui.filters, "string");
    this.chosen = this.byColumn(ui.columns, "boolean");
    this.widths = this.byColumn(ui.widths, "number");
    this.home = [setup.sort ?? []].flat(); // the order to come back to; empty: that of arrival
    const sorts = [[ui.sort, ui.down], ...(Array.isArray(ui.then) ? ui.then : [])];
    const known = (sort) => Array.isArray(sort) && sort.length === 2 && this.sortable(sort[0]);
    this.sorts = sorts.filter(known).map(([column, down]) => ({ column, down: Boolean(down) }));
    if (!this.sorts.length) this.sorts = this.home;
    // Whole rows are marked for so long: new ones fade in, ended ones stay, struck through. 0: single cells are.
    this.rowMarkMs = setup.row_mark_ms ?? 0;
    this.order = null; // keys as shown; null: to be made anew
    this.filled = new Set(); // columns in which any row has a value
    this.marked = 0; // until when some cell is marked
  }

  byColumn(given, type) {
    const pairs = Object.entries(given ?? {}).map(([i, value]) => [Number(i), value]);
    return new Map(pairs.filter(([i, value]) => this.columns[i] && typeof value === type));
  }

  sortable(column) {
    return Number.isInteger(column) && Boolean(this.columns[column]) && this.columns[column].kind !== "spark";
  }

  get sort() {
    return this.sorts[0] ?? null;
  }

  get shownRows() {
    return this.frozen ?? this.rows;
  }

  snapshot(message) {
    this.filled.clear();
    this.order = null;
    this.replace(message);
  }

  delta(message) {
    if (message.reset) this.replace(message);
    else this.put(message, true);
  }

  // All rows anew. Those that were here have not come meanwhile.
  replace(message) {
    const [before, came] = [new Set(this.rows.keys()), this.came];
    this.rows.clear();
    this.put(message, false);
    this.came = came + [...this.rows.keys()].filter((key) => !before.has(key)).length;
  }

  // The reader clears the list: rows that are held go at once, and what comes is held back as before.
  clear() {
    if (!this.frozen) return; // the kernel's answer empties the others
    this.frozen.clear();
    this.came = 0;
    this.order = null;
  }

  other(message) {
    if (message.kind !== "detail" || message.key !== this.open) return;
    this.details = message.fields;
    this.refresh?.(); // this one has no number, so nobody else does it
  }

  put(message, mark) {
    if (message.reset) this.order = null;
    for (const key of message.removed ?? []) this.end(key, mark);
    const now = performance.now();
    const lively = this.rowMarkMs > 0 && mark && !reducedMotion();
    for (const [key, ...cells] of message.rows ?? []) this.putRow(key, cells, mark, now, lively);
    for (const [key, ms] of message.fresh ?? []) {
      const row = this.rows.get(key);
      if (row && ms === 0) row.until = 0;
      else if (row && !row.updated) row.until = now + (message.hold ? HOLD_MS : Math.min(ms, 60000));
    }
    while (this.rows.size > this.keep) {
      this.rows.delete(this.rows.keys().next().value);
      this.order = null;
    }
    if (message.caption) this.caption = message.caption;
    if (message.totals) this.totals = message.totals;
    if (message.history_reset) this.history = [];
    if (message.history) this.history = [...this.history, ...message.history].slice(-this.keepHistory);
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
      // Of a sparkline come the points that are new.
      const { kind, points } = this.columns[i];
      if (kind === "spark") cells[i] = [...(old?.cells[i] ?? []), ...(cell ?? [])].slice(-points);
      if (kind === "spark" ? cells[i].length > 0 : cell !== null) this.filled.add(i);
    });
    if (!old) {
      const fadeUntil = lively ? now + FADE_MS : 0;
      this.rows.set(key, {
        key, cells, marks: null, since: 0, until: 0, updated: false, fadeUntil, changedUntil: 0, endedUntil: 0,
      });
      this.order = null;
      this.came += 1;
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
    const filtered = this.filter !== "" || this.filters.size > 0;
    if (filtered || this.sorts.some(({ column }) => old.cells[column] !== cells[column])) this.order = null;
    old.cells = cells;
  }

  shown() {
    if (this.order === null) {
      const rows = this.shownRows;
      let keys = [...rows.keys()];
      if (this.newestFirst) keys.reverse();
      const wanted = this.filter.trim().toLowerCase();
      if (wanted || this.filters.size) keys = keys.filter((key) => this.matches(rows.get(key), wanted));
      if (this.sorts.length) keys = sortKeys(keys, rows, this.columns, this.sorts);
      this.order = keys;
    }
    return this.order;
  }

  matches({ cells }, wanted) {
    for (const [i, words] of this.filters) if (!fits(cells[i], this.columns[i], words)) return false;
    if (!wanted) return true;
    return cells.some((cell, i) => cell !== null && cellText(cell, this.columns[i]).toLowerCase().includes(wanted));
  }

  // `more`: besides the columns that the rows are sorted by already.
  sortBy(column, more) {
    if (!this.sortable(column)) return;
    const first = SORT_KINDS.has(this.columns[column].kind);
    const others = more ? this.sorts.filter((sort) => sort.column !== column) : [];
    const old = more ? this.sorts.find((sort) => sort.column === column) : this.sort?.column === column && this.sort;
    // Third press: back to the order in which rows came.
    if (old && old.down !== first) this.sorts = more ? others : this.home;
    else if (old && more) this.sorts = this.sorts.map((sort) => (sort === old ? { column, down: !old.down } : sort));
    else this.sorts = [...others, { column, down: old ? !old.down : first }].slice(0, MOST_SORTS);
    this.order = null;
  }

  filterBy(text, column) {
    if (column === undefined) this.filter = text;
    else if (text.trim()) this.filters.set(column, text);
    else this.filters.delete(column);
    this.order = null;
  }

  pause(on) {
    this.frozen = on ? new Map([...this.rows].map(([key, row]) => [key, { ...row, marks: null }])) : null;
    this.came = 0;
    this.order = null;
  }

  // The columns that are on and, but for those chosen by hand or needed to understand the order, fit into the room.
  visible(room, widthOf) {
    let on = this.columns.map((c, i) => this.chosen.get(i) ?? (!c.optional || this.filled.has(i)));
    // Without any row a head of one column would tell nothing of the table.
    if (!this.filled.size && on.filter(Boolean).length < 2) on = on.map((_, i) => this.chosen.get(i) ?? true);
    let total = on.reduce((sum, shown, i) => sum + (shown ? widthOf(i) : 0), 0);
    const kept = (i) => this.chosen.has(i) || this.filters.has(i) || this.sorts.some((sort) => sort.column === i);
    let left = on.filter(Boolean).length;
    for (let i = on.length - 1; i > 0 && left > LEAST_COLUMNS && total > room; i -= 1) {
      if (!on[i] || kept(i)) continue;
      on[i] = false;
      left -= 1;
      total -= widthOf(i);
    }
    return on;
  }

  // What stands in `_ui`: small, and enough to come back to what the reader chose.
  choices(more) {
    const cut = (text) => text.slice(0, 200);
    const [first, ...then] = this.sorts === this.home ? [] : this.sorts;
    return {
      ...(first ? { sort: first.column, down: first.down, then: then.map(({ column, down }) => [column, down]) } : {}),
      filter: cut(this.filter),
      filters: Object.fromEntries([...this.filters].map(([i, text]) => [i, cut(text)])),
      columns: Object.fromEntries(this.chosen),
      widths: Object.fromEntries(this.widths),
      ...more,
    };
  }

  // Rows as a spreadsheet takes them: names with units, numbers with all their digits, times in full.
  tsv(keys, on) {
    const columns = this.columns.map((column, i) => [column, i]).filter(([, i]) => on[i]);
    const head = columns.map(([{ label, unit }]) => safeCell(unit ? `${label} (${unit})` : label));
    const lines = keys.map((key) => {
      const { cells } = this.shownRows.get(key);
      return columns.map(([column, i]) => safeCell(plainText(cells[i], column))).join("\t");
    });
    return [head.join("\t"), ...lines].join("\n");
  }
}

// How a cell changed: 1 up, -1 down, 0 otherwise, null not at all.
function changeOf(before, after, kind) {
  if (before === after || kind === "time" || kind === "spark") return null;
  if (kind !== "number" || before === null || after === null) return 0;
  return compare(before, after, kind) < 0 ? 1 : -1;
}

function compare(a, b, kind) {
  if (SORT_KINDS.has(kind)) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    const [p, q] = [wholeOf(a), wholeOf(b)];
    if (p !== null && q !== null) return p < q ? -1 : p > q ? 1 : 0;
    const [x, y] = [numberOf(a), numberOf(b)];
    if (x !== null && y !== null) return x - y;
  }
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

function wholeOf(value) {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : null;
  return /^-?\d{1,60}$/.test(value) ? BigInt(value) : null;
}

function numberOf(value) {
  return typeof value === "number" || PLAIN_NUMBER.test(value) ? Number(value) : null;
}

// Rows without a value come last, whatever the direction; equal ones keep their order.
function sortKeys(keys, rows, columns, sorts) {
  return keys.sort((p, q) => {
    for (const { column, down } of sorts) {
      const [a, b] = [rows.get(p).cells[column], rows.get(q).cells[column]];
      if (a === null || b === null) {
        if (a !== b) return a === null ? 1 : -1;
        continue;
      }
      const way = compare(a, b, columns[column].kind);
      if (way) return down ? -way : way;
    }
    return 0;
  });
}

// A column's filter. Numbers: >5 <=5 =5 !=5 1..5; else a part of what is shown, =the whole, !not.
function fits(value, column, words) {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return true;
  const told = isNumeric(column) ? numberFits(value, column, wanted) : null;
  if (told !== null) return told;
  const shown = value === null ? "" : cellText(value, column).toLowerCase();
  const rest = wanted.slice(1).trim();
  if (wanted[0] === "!") return rest ? !shown.includes(rest) : shown !== "";
  return wanted[0] === "=" ? shown === rest : shown.includes(wanted);
}

function numberFits(value, { kind }, wanted) {
  const told = /^(<=|>=|!=|<|>|=)\s*(-?[\d.,]+(?:e[+-]?\d+)?)$/.exec(wanted);
  const between = /^(-?[\d,]*\.?\d+)\s*\.\.\s*(-?[\d,]*\.?\d+)$/.exec(wanted);
  const way = (limit) => compare(value, limit.replaceAll(",", ""), kind);
  if (told) {
    if (numberOf(told[2].replaceAll(",", "")) === null) return null;
    if (value === null) return false;
    const [less, sign] = [way(told[2]), told[1]];
    if (sign === "!=") return less !== 0;
    return (sign.includes("=") && less === 0) || (sign[0] === "<" && less < 0) || (sign[0] === ">" && less > 0);
  }
  return between ? value !== null && way(between[1]) >= 0 && way(between[2]) <= 0 : null;
}

function cellText(value, column) {
  if (value === null || value === undefined || column.kind === "spark") return "–";
  if (isNumeric(column)) return column.short ? formatShort(value) : formatNumber(value, column.digits);
  if (column.kind === "time") return column.digits === 0 ? formatTime(value).slice(0, 8) : formatTime(value);
  return String(value);
}

// The value itself, for a spreadsheet.
function plainText(value, { kind }) {
  if (value === null || value === undefined) return "";
  if (kind === "time") return isoTime(value) ?? "";
  return kind === "spark" ? value.join(" ") : value;
}

// At most five characters or so: 950, 1.50k, 8.51M.
function formatShort(value) {
  const number = numberOf(value);
  if (number === null) return formatNumber(value);
  const size = Math.abs(number);
  for (const [step, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (size < step * 0.9995) continue;
    const part = size / step;
    return (number / step).toFixed(part >= 99.95 ? 0 : part >= 9.995 ? 1 : 2) + letter;
  }
  return size >= 100 || Number.isInteger(number) ? number.toFixed(0) : String(Number(number.toPrecision(3)));
}
