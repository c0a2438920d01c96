// The keyboard in a table, as the grid pattern of WAI-ARIA has it: one tab stop, arrows move from cell to cell.

const HEAD = Symbol("head"); // stands for the key of the row of headers
const WIDER_PX = 12;

class Keys {
  constructor(view) {
    this.view = view;
    this.active = null; // {key, column}
    this.anchor = null; // where a range of selected rows begins
    view.table.tabIndex = 0;
    view.table.addEventListener("keydown", (event) => this.press(event));
    view.table.addEventListener("focus", () => this.enter());
    view.rowsBody.addEventListener("click", (event) => this.click(event));
    view.rowsBody.addEventListener("dblclick", (event) => this.view.toggleDetail(this.keyAt(event)));
  }

  enter() {
    const order = this.view.data.shown();
    const known = this.active && (this.active.key === HEAD || order.includes(this.active.key));
    if (!known) this.active = { key: order[0] ?? HEAD, column: this.view.columnsOn()[0] ?? 0 };
    this.view.view.schedule();
  }

  keyAt(event) {
    const row = event.target.closest("tr");
    return this.view.pool.find((slot) => slot.row === row)?.key;
  }

  click(event) {
    const key = this.keyAt(event);
    if (key === undefined || event.target.closest(".ag-detail") || String(getSelection()) !== "") return;
    if (event.target.closest(".ag-open")) {
      this.view.toggleDetail(key);
      return;
    }
    const cell = event.target.closest("td");
    const column = cell ? Number(cell.getAttribute("aria-colindex")) - 1 : this.active?.column;
    this.active = { key, column: column ?? 0 };
    this.select(key, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "only");
    this.view.table.focus({ preventScroll: true });
  }

  select(key, how) {
    const { data } = this.view;
    const order = data.shown();
    let chosen = new Set(data.selected);
    if (how === "range" && order.includes(this.anchor)) {
      const [a, b] = [order.indexOf(this.anchor), order.indexOf(key)].sort((p, q) => p - q);
      chosen = new Set(order.slice(a, b + 1));
    } else if (how === "all") chosen = new Set(order);
    else if (how === "none" || (how === "only" && chosen.size === 1 && chosen.has(key))) chosen = new Set();
    else if (how === "only") chosen = new Set([key]);
    else if (!chosen.delete(key)) chosen.add(key);
    if (how !== "range") this.anchor = key;
    this.view.selectRows([...chosen]);
  }

  press(event) {
    if (event.target !== this.view.table) return;
    const done = this.act(event, event.ctrlKey || event.metaKey);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has shortcuts on these
  }

  act(event, ctrl) {
    if (!this.active) this.enter();
    const { key, column } = this.active;
    const head = key === HEAD;
    const { view } = this;
    if (event.altKey) return false;
    const page = view.pageRows();
    const far = Number.MAX_SAFE_INTEGER;
    const moves = {
      ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [page, 0], PageUp: [-page, 0],
      Home: [ctrl ? -far : 0, -far], End: [ctrl ? far : 0, far],
    };
    if (head && event.shiftKey && /^Arrow(Left|Right)$/.test(event.key)) {
      view.widen(column, event.key === "ArrowRight" ? WIDER_PX : -WIDER_PX);
    } else if (moves[event.key]) this.move(...moves[event.key], event.shiftKey);
    else if (head && (event.key === "Enter" || event.key === " ")) view.sortBy(column, event.shiftKey);
    else if (event.key === "Enter") view.toggleDetail(key);
    else if (event.key === " ") this.select(key, event.shiftKey ? "range" : "toggle");
    else if (event.key === "Escape") this.escape();
    else if (ctrl && event.key.toLowerCase() === "a") this.select(key, "all");
    else if (ctrl && event.key.toLowerCase() === "c") view.copy();
    else return false;
    return true;
  }

  escape() {
    if (this.view.data.open !== null) this.view.toggleDetail(this.view.data.open);
    else this.select(null, "none");
  }

  move(down, right, extend) {
    const order = this.view.data.shown();
    const on = this.view.columnsOn();
    const at = this.active.key === HEAD ? -1 : order.indexOf(this.active.key);
    // The headers are one step above the first row; a leap ends at the first row.
    const least = at <= 0 && down === -1 ? -1 : at === -1 && down === 0 ? -1 : 0;
    const to = Math.max(least, Math.min(order.length - 1, at + down));
    const place = Math.max(0, Math.min(on.length - 1, Math.max(0, on.indexOf(this.active.column)) + right));
    if (extend && down !== 0 && to >= 0) {
      if (this.anchor === null) this.anchor = this.active.key;
      this.select(order[to], "range");
    }
    this.active = { key: to < 0 ? HEAD : order[to], column: on[place] ?? 0 };
    this.view.reveal(to);
    this.view.view.schedule();
  }

  // Marks the active cell, if it is among those drawn.
  draw() {
    this.marked?.classList.remove("ag-active");
    this.marked?.removeAttribute("id");
    this.marked = this.active ? this.cellOf(this.active) : undefined;
    if (this.marked) {
      this.marked.id = `${this.view.id}-active`;
      this.marked.classList.add("ag-active");
      this.view.table.setAttribute("aria-activedescendant", this.marked.id);
    } else this.view.table.removeAttribute("aria-activedescendant");
  }

  cellOf({ key, column }) {
    if (key === HEAD) return this.view.heads[column];
    return this.view.pool.find((slot) => slot.key === key)?.cells[column].cell;
  }
}
