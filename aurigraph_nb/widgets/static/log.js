// What happened, newest first: filters by type, severity and words, and a pause while the reader looks at older entries.

const TOP_PX = 6;
const PAGE = 200; // entries in the page at once; more on demand
const MOST_TYPES = 24;
const LEVELS = [["", "All severities"], ["warning", "Warnings and errors"], ["error", "Errors"]];
const WITHIN = { "": null, warning: new Set(["warning", "error"]), error: new Set(["error"]) };

class Events {
  constructor(model) {
    const ui = model.get("_ui") ?? {};
    this.keep = model.get("_setup").keep;
    this.base = 0; // grows when the entries that were here are not what there is any more
    this.events = []; // oldest first: [number, ms, type, severity, message]
    this.types = new Set();
    this.total = 0;
    this.counts = null; // by type, where the kernel counts
    this.off = new Set(Array.isArray(ui.off) ? ui.off.filter((type) => typeof type === "string") : []);
    this.search = typeof ui.search === "string" ? ui.search : "";
    this.level = Object.hasOwn(WITHIN, ui.level) ? ui.level : "";
  }

  snapshot(message) {
    if (!this.goesOn(message)) this.base += 1;
    this.events = [];
    this.put(message);
  }

  delta(message) {
    if (message.reset) this.snapshot(message);
    else this.put(message);
  }

  // Whether all that comes anew continues what is here: a log that was out of sight, say, is told everything again, and
  // a reader who holds it keeps the place. Not so if numbers mean other entries now, or if entries were cleared.
  goesOn({ events, total }) {
    if (!this.events.length || !events.length || total < this.total) return false;
    if (events[0][0] > this.events[0][0] && events.length < this.keep) return false;
    const known = new Map(this.events.map((event) => [event[0], event]));
    return events.every((event) => (known.get(event[0]) ?? event).every((cell, i) => cell === event[i]));
  }

  put(message) {
    this.events.push(...message.events);
    if (this.events.length > this.keep) this.events.splice(0, this.events.length - this.keep);
    this.total = message.total;
    if (message.counts) {
      this.counts = message.counts;
      for (const type of Object.keys(message.counts).slice(0, MOST_TYPES)) this.types.add(type);
    }
    for (const event of message.events) if (this.types.size < MOST_TYPES) this.types.add(event[2]);
  }

  shown() {
    const wanted = this.search.trim().toLowerCase();
    const within = WITHIN[this.level];
    const fits = ([, , type, severity, text]) =>
      !this.off.has(type) && (!within || within.has(severity)) && (!wanted || `${words(type)} ${text}`.toLowerCase().includes(wanted));
    return this.events.filter(fits).reverse();
  }

  choices() {
    return { off: [...this.off], search: this.search.slice(0, 200), level: this.level };
  }

  tsv() {
    const lines = this.shown().map(([, ms, type, severity, text]) =>
      [ms === null ? "" : (isoTime(ms) ?? ""), severity, type, text].map(safeCell).join("\t"));
    return ["Time (UTC)\tSeverity\tType\tMessage", ...lines].join("\n");
  }
}

function words(type) {
  const text = String(type).replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

class LogView {
  constructor({ data, model, body, view, link }) {
    Object.assign(this, { data, model, view, link });
    this.away = false; // the reader has scrolled to older entries
    this.stopped = false; // the reader has pressed Pause
    this.fresh = true; // draw the list even while it is paused
    this.base = 0;
    this.seen = 0; // total when the list was last drawn
    this.most = PAGE;
    this.nodes = new Map();
    this.chips = new Map();
    const setup = model.get("_setup");
    this.buildHead(body, setup);
    this.none = setup.none ?? "No data yet";
    this.buildList(body, setup);
    this.say = speaker(body);
  }

  buildHead(body, setup) {
    const bar = header(body, setup.title);
    this.count = element("span", "ag-meta");
    const tools = element("div", "ag-log-tools");
    tools.append(searchField("Search", `Search ${setup.title}`, this.data.search, (text) => this.choose("search", text)));
    tools.append(this.levels(setup.title));
    this.pauser = toolButton(tools, "Pause", "Hold the list still", () => this.pause());
    this.pauser.classList.add("ag-live-only");
    this.copier = toolButton(tools, "Copy", "Copy the entries shown, for a spreadsheet", () => this.copy());
    bar.append(this.count, tools);
    if (setup.clear) clearButton(bar, this.link, setup.clear);
    this.filter = element("div", "ag-chips");
    this.filter.setAttribute("role", "group");
    this.filter.setAttribute("aria-label", `${setup.title}: types shown`);
    body.append(this.filter);
  }

  levels(title) {
    const select = element("select", "ag-level");
    select.setAttribute("aria-label", `Severities of ${title}`);
    for (const [level, label] of LEVELS) {
      const option = element("option", "", label);
      option.value = level;
      select.append(option);
    }
    select.value = this.data.level;
    select.addEventListener("change", () => this.choose("level", select.value));
    select.addEventListener("keydown", (event) => event.stopPropagation());
    return select;
  }

  buildList(body, setup) {
    this.frame = element("div", "ag-log");
    this.list = element("ol", "ag-list");
    this.list.tabIndex = 0;
    this.list.style.height = `${setup.height}px`;
    this.list.setAttribute("role", "log");
    this.list.setAttribute("aria-live", "off"); // too much to be read aloud
    this.list.setAttribute("aria-label", setup.title);
    this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.empty = element("div", "ag-empty", this.none);
    this.more = element("button", "ag-more");
    this.more.type = "button";
    this.more.hidden = true;
    this.more.addEventListener("click", () => this.resume());
    this.older = element("li");
    const older = toolButton(this.older, "Older entries", "", () => {
      this.most += PAGE;
      this.redraw();
    });
    older.classList.add("ag-older");
    this.frame.append(this.list, this.empty, this.more);
    body.append(this.frame);
  }

  get paused() {
    return this.away || this.stopped;
  }

  scrolled() {
    const away = this.list.scrollTop > TOP_PX;
    if (away === this.away) return;
    this.away = away;
    this.view.schedule();
  }

  pause() {
    if (this.stopped) {
      this.resume();
      return;
    }
    this.stopped = true;
    this.say("Paused");
    this.view.schedule();
  }

  resume() {
    this.stopped = this.away = false;
    this.most = PAGE;
    this.list.scrollTop = 0;
    this.list.focus({ preventScroll: true });
    this.say("Live");
    this.redraw();
  }

  redraw() {
    this.fresh = true;
    this.view.schedule();
  }

  // What was chosen survives a reload of the page.
  choose(name, value) {
    if (name) this.data[name] = value;
    this.model.set("_ui", this.data.choices());
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), 300);
    this.data.base += 1; // every view draws its list anew
    this.link.refresh();
  }

  toggle(type) {
    if (!this.data.off.delete(type)) this.data.off.add(type);
    this.choose();
  }

  async copy() {
    try {
      await copyText(this.data.tsv());
      setText(this.copier, "Copied");
      this.say(`${this.data.shown().length} entries copied`);
    } catch (error) {
      setText(this.copier, "Could not copy");
      this.copier.title = error.message;
    }
    setTimeout(() => setText(this.copier, "Copy"), 2500);
  }

  draw() {
    this.drawChips();
    if (this.base !== this.data.base) this.forget();
    setText(this.count, this.data.total ? `${this.data.total.toLocaleString("en-US")} in total` : "");
    const came = Math.max(0, this.data.total - this.seen);
    const held = this.paused && !this.fresh;
    show(this.more, this.paused);
    const jump = this.nodes.size && came && held ? `↑ ${came.toLocaleString("en-US")} new, jump to live` : "↑ Jump to live";
    setText(this.more, jump);
    setText(this.pauser, this.stopped ? "Resume" : "Pause");
    this.pauser.setAttribute("aria-pressed", String(this.stopped));
    if (!held) this.drawList();
  }

  forget() {
    this.base = this.data.base;
    this.fresh = true;
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
  }

  drawChips() {
    for (const type of this.data.types) {
      if (!this.chips.has(type)) this.chips.set(type, this.newChip(type));
      const chip = this.chips.get(type);
      chip.setAttribute("aria-pressed", String(!this.data.off.has(type)));
      if (this.data.counts) setText(chip, `${words(type)} ${formatNumber(this.data.counts[type] ?? 0)}`);
    }
    show(this.filter, this.chips.size > 0);
  }

  newChip(type) {
    const chip = element("button", "ag-chip", words(type));
    chip.type = "button";
    chip.addEventListener("click", () => this.toggle(type));
    this.filter.append(chip);
    return chip;
  }

  drawList() {
    const all = this.data.shown();
    const shown = all.slice(0, this.most);
    const wanted = new Set(shown.map((event) => event[0]));
    for (const [number, node] of this.nodes) {
      if (!wanted.has(number)) {
        node.remove();
        this.nodes.delete(number);
      }
    }
    let next = this.list.firstChild;
    for (const event of shown) {
      const node = this.nodes.get(event[0]) ?? this.newEntry(event);
      if (node === next) next = next.nextSibling;
      else this.list.insertBefore(node, next);
    }
    if (all.length > shown.length) this.list.append(this.older);
    else this.older.remove();
    this.fresh = false;
    this.seen = this.data.total;
    show(this.empty, shown.length === 0);
    setText(this.empty, this.data.events.length ? "No event that fits" : this.none);
  }

  newEntry([number, ms, type, severity, message]) {
    const tone = severity === "error" ? "error" : severity === "warning" ? "warning" : "info";
    const node = element("li", `ag-entry ag-sev-${tone}`);
    const time = element("time", "ag-when", formatTime(ms).slice(0, 8));
    time.title = timeHint(ms);
    const sign = element("span", "ag-sign", tone === "error" ? "✕" : tone === "warning" ? "▲" : "•");
    sign.setAttribute("aria-label", tone);
    sign.setAttribute("role", "img");
    node.append(time, sign, element("span", "ag-what", words(type)), element("span", "ag-text", message));
    this.nodes.set(number, node);
    return node;
  }
}

export default defineWidget(
  (model) => new Events(model),
  (context) => new LogView(context),
);
