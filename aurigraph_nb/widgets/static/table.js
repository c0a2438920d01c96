// A table that is kept up to date row by row. Only rows in sight are in the page.

const LEAST_PX = 40;
const DETAIL_EVERY_MS = 1000;

class TableView {
  constructor({ data, model, body, view, link }) {
    Object.assign(this, { data, model, view, link, columns: data.columns, pool: [], on: [], room: 0, fresh: 0, asked: {} });
    data.refresh = () => link.refresh();
    this.id = `ag-${Math.random().toString(36).slice(2, 10)}`;
    const setup = model.get("_setup");
    this.title = setup.title;
    const bar = header(body, setup.title);
    this.drawCaption = captionOf(bar);
    this.input = searchField("Filter", `Filter ${setup.title}`, data.filter, (text) => this.filterBy(text));
    bar.append(this.input);
    if (setup.pause) this.pauser = toolButton(bar, "Pause", "Hold the rows still", () => this.pause());
    this.pauser?.classList.add("ag-live-only");
    if (setup.clear) clearButton(bar, link, setup.clear, () => this.clear());
    this.buildGrid(body, setup);
    this.buildFoot(body, setup, model.get("_ui") ?? {});
    this.empty = element("div", "ag-empty", "No data yet");
    this.scroll.append(this.empty);
    this.detail = new Detail();
    this.keys = new Keys(this);
    this.onSelected = () => {
      data.selected = new Set(model.get("selected") ?? []);
      link.refresh();
    };
    model.on("change:selected", this.onSelected);
    this.sizes = new ResizeObserver(() => view.schedule());
    this.sizes.observe(this.scroll);
  }

  buildGrid(body, setup) {
    this.scroll = element("div", "ag-scroll");
    this.scroll.style.height = `${setup.height}px`;
    this.scroll.addEventListener("scroll", () => this.view.schedule(), { passive: true });
    this.table = element("table", "ag-grid");
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-label", setup.title);
    this.table.setAttribute("aria-multiselectable", "true");
    this.table.setAttribute("aria-colcount", this.columns.length);
    const group = element("colgroup");
    this.cols = this.columns.map(() => element("col"));
    group.append(...this.cols);
    const head = element("thead");
    this.heads = this.columns.map((column, i) => this.buildHead(column, i));
    const row = element("tr");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", 1);
    row.append(...this.heads);
    this.filterRow = this.buildFilters();
    head.append(row, this.filterRow);
    this.above = this.spacer();
    this.rowsBody = element("tbody");
    this.below = this.spacer();
    this.ruler = element("span", "ag-ruler");
    this.table.append(group, head, this.above, this.rowsBody, this.below);
    this.scroll.append(this.ruler, this.table);
    body.append(this.scroll);
  }

  // Stands for the rows that are out of sight.
  spacer() {
    const part = element("tbody", "ag-space");
    part.setAttribute("role", "presentation");
    const row = element("tr");
    row.setAttribute("role", "presentation");
    row.append(element("td"));
    part.append(row);
    return part;
  }

  buildHead(column, i) {
    const head = element("th", isNumeric(column) ? "ag-num" : "");
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    head.setAttribute("aria-colindex", i + 1);
    const button = element("button", "ag-sort");
    button.type = "button";
    button.tabIndex = -1; // the grid is one tab stop, and its arrows come here
    button.append(element("span", "ag-label", column.label));
    if (column.unit) button.append(element("span", "ag-unit", column.unit));
    button.append(element("span", "ag-arrow"));
    const name = `${column.label}${column.unit ? ` (${column.unit})` : ""}`;
    button.title = this.data.sortable(i) ? `Sort by ${name}; with shift: by this as well` : name;
    button.addEventListener("click", (event) => this.sortBy(i, event.shiftKey));
    head.append(button, this.buildGrip(head, i));
    return head;
  }

  buildGrip(head, i) {
    const grip = element("span", "ag-grip");
    grip.addEventListener("pointerdown", (event) => {
      grip.setPointerCapture(event.pointerId);
      const [from, width] = [event.clientX, head.offsetWidth];
      grip.onpointermove = (move) => this.widen(i, move.clientX - from, width);
    });
    grip.addEventListener("pointerup", () => {
      grip.onpointermove = null;
    });
    grip.addEventListener("dblclick", () => {
      this.data.widths.delete(i);
      this.changed();
    });
    return grip;
  }

  buildFilters() {
    const row = element("tr", "ag-filters");
    row.setAttribute("role", "row");
    this.filterCells = this.columns.map((column, i) => {
      const cell = element("td");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", i + 1);
      if (!this.data.sortable(i)) return cell;
      const hint = isNumeric(column) ? ">5  1..5" : "text";
      const input = searchField(hint, `Filter ${column.label}`, this.data.filters.get(i) ?? "", (text) => this.filterBy(text, i));
      input.title = isNumeric(column) ? "5   >5   <=5   !=5   1..5" : "part   =whole   !not";
      cell.append(input);
      return cell;
    });
    row.append(...this.filterCells);
    row.hidden = !this.data.filters.size;
    return row;
  }

  buildFoot(body, setup, ui) {
    const panel = element("div", "ag-panel ag-chips");
    panel.hidden = true;
    this.pane = element("div", "ag-panel");
    this.pane.hidden = !(setup.history && ui.pane);
    this.chooser = new Chooser(panel, this.data, () => this.changed());
    this.history = new History(this.pane, this.data);
    const foot = element("div", "ag-foot");
    this.count = element("span", "ag-meta");
    foot.append(this.count);
    this.drawTotals = totalsOf(foot);
    const tools = element("div", "ag-tools");
    const changed = () => this.changed();
    if (setup.history) foldButton(tools, "Updates", this.pane, changed);
    foldButton(tools, "Filters", this.filterRow, changed);
    this.columnsButton = foldButton(tools, "Columns", panel, changed);
    toolButton(tools, "Copy", "Copy the rows selected, or all that are shown, for a spreadsheet", () => this.copy());
    foot.append(tools);
    body.append(foot, panel, this.pane);
    this.say = speaker(body);
  }

  // ---- what the reader does

  // What was chosen survives a reload of the page.
  changed() {
    this.model.set("_ui", this.data.choices({ pane: !this.pane.hidden }));
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), 300);
    this.link.refresh();
  }

  sortBy(column, more) {
    this.data.sortBy(column, more);
    const words = this.data.sorts.map((s) => `${this.columns[s.column].label} ${s.down ? "descending" : "ascending"}`);
    this.say(words.length ? `Sorted by ${words.join(", then ")}` : "In order of arrival");
    this.changed();
  }

  filterBy(text, column) {
    this.data.filterBy(text, column);
    this.scroll.scrollTop = 0;
    this.changed();
  }

  widen(column, by, from = this.heads[column].offsetWidth) {
    this.data.widths.set(column, Math.round(Math.max(LEAST_PX, Math.min(1200, from + by))));
    this.changed();
  }

  pause() {
    this.data.pause(!this.data.frozen);
    this.say(this.data.frozen ? "Paused" : "Live");
    this.link.refresh();
  }

  clear() {
    this.data.clear();
    this.link.refresh();
  }

  selectRows(keys) {
    const known = keys.filter((key) => this.data.shownRows.has(key));
    this.data.selected = new Set(known);
    this.model.set("selected", known);
    this.model.save_changes();
    this.say(known.length === 1 ? "1 row selected" : `${known.length} rows selected`);
    this.link.refresh();
  }

  async copy() {
    const order = this.data.shown();
    const chosen = order.filter((key) => this.data.selected.has(key));
    const keys = chosen.length ? chosen : order;
    try {
      await copyText(this.data.tsv(keys, this.on));
      this.say(keys.length === 1 ? "1 row copied" : `${keys.length} rows copied`);
      this.copied = `${keys.length.toLocaleString("en-US")} copied`;
    } catch (error) {
      this.copied = `Could not copy: ${error.message}`;
    }
    setTimeout(() => {
      this.copied = "";
      this.view.schedule();
    }, 2500);
    this.view.schedule();
  }

  toggleDetail(key) {
    if (key === undefined || key === HEAD) return;
    const { data } = this;
    data.open = data.open === key ? null : key;
    data.details = [];
    this.say(data.open === null ? "Details closed" : `Details of ${key}`);
    this.askDetail();
    this.link.refresh();
  }

  askDetail() {
    if (this.data.open === null) return;
    this.asked = { cells: this.data.rows.get(this.data.open)?.cells, at: performance.now() };
    this.link.say("detail", { key: this.data.open });
  }

  // ---- drawing

  draw() {
    const { data } = this;
    if (data.rowMarkMs > 0) data.sweep(performance.now());
    const order = data.shown();
    this.drawCaption(data.caption);
    this.drawTotals(data.totals);
    this.drawHeads();
    this.drawRows(order);
    this.keys.draw();
    this.drawFoot(order);
    const none = order.length === 0;
    show(this.empty, none);
    if (none) setText(this.empty, data.shownRows.size ? "No row matches the filter" : "No data yet");
    const now = performance.now();
    if (data.marked > now || this.fresh > now) this.lookAgain();
  }

  lookAgain() {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.view.schedule(), this.data.rowMarkMs > 0 ? 200 : 500);
  }

  drawFoot(order) {
    const { data } = this;
    const [shown, all] = [order.length, data.shownRows.size].map((n) => n.toLocaleString("en-US"));
    const words = [shown === all ? `${all} ${all === "1" ? "row" : "rows"}` : `${shown} of ${all} rows`];
    if (data.selected.size) words.push(`${data.selected.size.toLocaleString("en-US")} selected`);
    if (data.sorts.length > 1) words.push(`sorted by ${data.sorts.length} columns`);
    setText(this.count, this.copied || words.join(" · "));
    const on = this.on.filter(Boolean).length;
    setText(this.columnsButton, on < this.columns.length ? `Columns ${on}/${this.columns.length}` : "Columns");
    if (this.pauser) {
      const came = data.frozen && data.came ? ` (${data.came.toLocaleString("en-US")} new)` : "";
      setText(this.pauser, data.frozen ? `Resume${came}` : "Pause");
      this.pauser.setAttribute("aria-pressed", String(Boolean(data.frozen)));
    }
    this.chooser.draw(this.on);
    if (!this.pane.hidden) this.history.draw();
  }

  columnsOn() {
    return this.columns.flatMap((_, i) => (this.on[i] ? [i] : []));
  }

  drawHeads() {
    const { sorts, widths } = this.data;
    this.room = this.scroll.clientWidth;
    const letter = this.ruler.offsetWidth / 10 || 7;
    const plain = (i) => widths.get(i) ?? Math.ceil(this.columns[i].width * letter);
    // Names are never cut to make room: those that differ could look the same.
    const firm = (i) => i === 0 || widths.has(i) || this.columns[i].firm;
    const share = (tight) => (i) => (firm(i) ? plain(i) : Math.max(Math.floor(plain(i) * tight), this.headRoom(i, letter)));
    this.on = this.data.visible(this.room, share(TIGHTEST));
    const total = (widthOf) => this.columnsOn().reduce((sum, i) => sum + widthOf(i), 0);
    let tight = 1;
    while (tight > TIGHTEST && total(share(tight)) > this.room) tight -= 0.01;
    const widthOf = share(Math.max(TIGHTEST, tight));
    this.heads.forEach((head, i) => {
      show(head, this.on[i]);
      show(this.filterCells[i], this.on[i]);
      this.cols[i].style.display = this.on[i] ? "" : "none";
      this.cols[i].style.width = `${widthOf(i)}px`;
      const place = sorts.findIndex((sort) => sort.column === i);
      const direction = place < 0 ? "none" : sorts[place].down ? "descending" : "ascending";
      head.setAttribute("aria-sort", direction);
      head.dataset.place = sorts.length > 1 && place >= 0 ? place + 1 : "";
    });
    this.table.style.minWidth = `${this.columnsOn().reduce((sum, i) => sum + widthOf(i), 0)}px`;
  }

  // What a head needs so that its words are not cut; never more than the column wants.
  headRoom(i, letter) {
    const { label, unit, width } = this.columns[i];
    const words = label.length + (unit ? 0.85 * unit.length + 2 : 0);
    return Math.min(Math.ceil(width * letter), Math.ceil(words * letter * 0.92) + 24);
  }

  drawRows(order) {
    const { open } = this.data;
    const at = open === null ? -1 : order.indexOf(open);
    const extra = at < 0 ? 0 : DETAIL_PX;
    let top = this.scroll.scrollTop;
    if (extra && top > (at + 1) * ROW_PX) top = Math.max((at + 1) * ROW_PX, top - extra);
    const fits = Math.ceil(this.scroll.clientHeight / ROW_PX) + 2 * OVERSCAN;
    const first = Math.max(0, Math.min(Math.floor(top / ROW_PX) - OVERSCAN, order.length - fits));
    const count = Math.min(fits, order.length - first);
    while (this.pool.length < count) this.pool.push(this.newRow());
    while (this.pool.length > count) this.pool.pop().row.remove();
    this.space(this.above, first * ROW_PX + (at >= 0 && at < first ? extra : 0));
    this.space(this.below, (order.length - first - count) * ROW_PX + (at >= first + count ? extra : 0));
    this.table.setAttribute("aria-rowcount", order.length + 1);
    const now = performance.now();
    this.fresh = 0;
    for (let i = 0; i < count; i += 1) this.drawRow(this.pool[i], order[first + i], first + i, now);
    this.drawDetail(this.pool[at - first]?.key === open ? this.pool[at - first] : null, now);
  }

  space(part, px) {
    show(part, px > 0);
    const [cell] = part.rows[0].cells;
    cell.style.height = `${px}px`;
    cell.colSpan = this.columnsOn().length || 1; // more would make columns that nobody sees
  }

  newRow() {
    const row = element("tr");
    row.setAttribute("role", "row");
    const cells = this.columns.map((column, i) => newCell(row, column, i));
    const fresh = element("span", "ag-new", "NEW");
    const opener = element("button", "ag-open", "▸");
    opener.type = "button";
    opener.tabIndex = -1; // Enter does the same
    opener.title = "Details";
    opener.setAttribute("aria-label", "Details");
    cells[0].cell.prepend(opener);
    cells[0].cell.append(fresh);
    this.rowsBody.append(row);
    return { row, cells, fresh, opener };
  }

  drawRow(slot, key, index, now) {
    const item = this.data.shownRows.get(key);
    slot.key = key;
    slot.row.setAttribute("aria-rowindex", index + 2);
    slot.row.setAttribute("aria-selected", String(this.data.selected.has(key)));
    slot.opener.setAttribute("aria-expanded", String(this.data.open === key));
    const fresh = item.until > now;
    show(slot.fresh, fresh);
    if (fresh) this.fresh = Math.max(this.fresh, item.until);
    const marked = item.marks !== null && now - item.since < MARK_MS;
    if (!marked) item.marks = null;
    if (this.data.rowMarkMs > 0) this.drawRowMarks(slot, item, now);
    this.columns.forEach((column, i) => {
      show(slot.cells[i].cell, this.on[i]);
      if (!this.on[i]) return;
      drawCell(slot.cells[i], item.cells[i], column);
      drawMark(slot.cells[i].cell, i, marked ? item : null);
    });
  }

  drawRowMarks(slot, item, now) {
    slot.row.classList.toggle("ag-row-in", item.fadeUntil > now);
    slot.row.classList.toggle("ag-row-changed", item.changedUntil > now);
    slot.row.classList.toggle("ag-row-ended", item.endedUntil > now);
    slot.row.title = item.endedUntil > now ? "Ended" : "";
  }

  drawDetail(slot, now) {
    if (!slot) {
      this.detail.row.remove();
      return;
    }
    if (slot.row.nextSibling !== this.detail.row) slot.row.after(this.detail.row);
    this.detail.draw(this.data.details, slot.key, this.room, this.columnsOn().length);
    if (this.asked.cells === this.data.rows.get(slot.key)?.cells) return;
    if (!(now - this.asked.at < DETAIL_EVERY_MS)) this.askDetail();
    else this.lookAgain();
  }

  pageRows() {
    return Math.max(1, Math.floor((this.scroll.clientHeight - this.table.tHead.offsetHeight) / ROW_PX) - 1);
  }

  // Scrolls so that a row can be seen; the headers always can.
  reveal(index) {
    const { key, column } = this.keys.active;
    const at = this.data.open === null ? -1 : this.data.shown().indexOf(this.data.open);
    const y = index * ROW_PX + (at >= 0 && at < index ? DETAIL_PX : 0);
    const room = this.scroll.clientHeight - this.table.tHead.offsetHeight - ROW_PX;
    if (key !== HEAD) this.scroll.scrollTop = Math.max(y - room, Math.min(y, this.scroll.scrollTop));
    const { offsetLeft: left, offsetWidth: width } = this.heads[column];
    this.scroll.scrollLeft = Math.max(left + width - this.scroll.clientWidth, Math.min(left, this.scroll.scrollLeft));
  }

  remove() {
    clearTimeout(this.again);
    this.sizes.disconnect();
    this.model.off("change:selected", this.onSelected);
  }
}

export default defineWidget(
  (model) => new Rows(model),
  (context) => new TableView(context),
);
