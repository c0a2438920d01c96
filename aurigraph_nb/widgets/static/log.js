// What happened, newest first: filter by type, and a pause while the reader has scrolled away from the top.

const TOP_PX = 6;

class Events {
  constructor(model) {
    this.keep = model.get("_setup").keep;
    this.base = 0; // grows when all entries are replaced
    this.events = []; // oldest first: [number, ms, type, severity, message]
    this.types = new Set();
    this.total = 0;
    this.counts = null; // by type, where the kernel counts
    const off = (model.get("_ui") ?? {}).off;
    this.off = new Set(Array.isArray(off) ? off.filter((type) => typeof type === "string") : []);
  }

  snapshot(message) {
    this.restart();
    this.put(message);
  }

  delta(message) {
    if (message.reset) this.restart();
    this.put(message);
  }

  // What comes now may have the numbers of other entries before.
  restart() {
    this.events = [];
    this.base += 1;
  }

  put(message) {
    this.events.push(...message.events);
    if (this.events.length > this.keep) this.events.splice(0, this.events.length - this.keep);
    this.total = message.total;
    if (message.counts) {
      this.counts = message.counts;
      for (const type of Object.keys(message.counts).slice(0, 24)) this.types.add(type);
    }
    for (const event of message.events) if (this.types.size < 24) this.types.add(event[2]);
  }

  shown() {
    return this.events.filter((event) => !this.off.has(event[2])).reverse();
  }
}

function words(type) {
  const text = String(type).replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

class LogView {
  constructor({ data, model, body, view, link }) {
    this.data = data;
    this.model = model;
    this.view = view;
    this.link = link;
    this.paused = false;
    this.base = 0;
    this.seen = 0; // total when the list was last drawn
    this.nodes = new Map();
    this.chips = new Map();
    const setup = model.get("_setup");
    const bar = header(body, setup.title);
    this.count = element("span", "ag-meta");
    this.filter = element("div", "ag-chips");
    this.filter.setAttribute("role", "group");
    this.filter.setAttribute("aria-label", `${setup.title}: types shown`);
    bar.append(this.count);
    if (setup.clear) clearButton(bar, link, setup.clear);
    this.none = setup.none ?? "No data yet";
    body.append(this.filter);
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
    this.frame.append(this.list, this.empty, this.more);
    body.append(this.frame);
  }

  scrolled() {
    const away = this.list.scrollTop > TOP_PX;
    if (away === this.paused) return;
    this.paused = away;
    this.view.schedule();
  }

  resume() {
    this.paused = false;
    this.list.scrollTop = 0;
    this.list.focus({ preventScroll: true });
    this.view.schedule();
  }

  toggle(type) {
    if (!this.data.off.delete(type)) this.data.off.add(type);
    this.model.set("_ui", { off: [...this.data.off] });
    this.model.save_changes();
    this.seen = -1; // draw the list even while it is paused
    this.link.refresh();
  }

  draw() {
    this.drawChips();
    if (this.base !== this.data.base) this.forget();
    setText(this.count, this.data.total ? `${this.data.total.toLocaleString("en-US")} in total` : "");
    const fresh = this.data.total - this.seen;
    const held = this.paused && this.seen >= 0 && fresh > 0 && this.nodes.size > 0;
    show(this.more, held);
    if (held) setText(this.more, `↑ ${fresh} new`);
    else this.drawList();
  }

  forget() {
    this.base = this.data.base;
    this.seen = -1;
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
    const shown = this.data.shown();
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
    this.seen = this.data.total;
    show(this.empty, shown.length === 0);
    setText(this.empty, this.data.events.length ? "No event of the types chosen" : this.none);
  }

  newEntry([number, ms, type, severity, message]) {
    const tone = severity === "error" ? "error" : severity === "warning" ? "warning" : "info";
    const node = element("li", `ag-entry ag-sev-${tone}`);
    const time = element("time", "ag-when", formatTime(ms).slice(0, 8));
    const iso = ms === null ? null : isoTime(ms);
    if (iso) time.title = iso;
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
