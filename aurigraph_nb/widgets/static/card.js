// Present values of one topic: one big, bars, badges and rows. All texts come ready from the kernel.

class Values {
  constructor() {
    this.items = [];
    this.at = null;
    this.stale = null; // why these are not the values of now
  }

  snapshot(message) {
    this.items = message.items;
    this.at = message.at;
    this.stale = message.stale ?? null;
  }

  delta(message) {
    this.snapshot(message);
  }
}

class CardView {
  constructor({ data, model, body, link, root }) {
    this.data = data;
    this.link = link;
    this.root = root;
    const bar = header(body, model.get("_setup").title);
    this.time = element("span", "ag-meta");
    bar.append(this.time);
    this.list = element("div", "ag-card");
    this.empty = element("div", "ag-empty", "No data yet");
    body.append(this.list, this.empty);
    this.rows = new Map();
    this.shape = "";
  }

  draw() {
    const { items, at } = this.data;
    show(this.empty, items.length === 0);
    show(this.list, items.length > 0);
    this.drawTime(at);
    const shape = items.map((item) => `${item.look ?? "row"} ${item.label} ${item.unit ?? ""}`).join("\n");
    if (shape !== this.shape) this.rebuild(items, shape);
    for (const item of items) this.drawItem(this.rows.get(item.label), item);
  }

  // Old values must not look like those of now: they are paler, and the words say of when they are, and why.
  drawTime(at) {
    if (this.link.notice.run?.over && !this.link.gone) return this.drawEnd();
    const why = this.data.stale ?? (this.link.gone || this.link.notice.closed ? "closed" : null);
    const old = why !== null && at !== null;
    this.root.classList.toggle("ag-old", old);
    const clock = at === null ? "" : `${formatTime(at).slice(0, 8)} UTC`;
    setText(this.time, old ? `as of ${clock} · ${why}` : clock);
    this.time.title = at === null ? "" : `here ${new Date(at).toLocaleString()}`;
    return undefined;
  }

  // The last values of a run that is over are what they should be; its head tells when that was.
  drawEnd() {
    this.root.classList.remove("ag-old");
    setText(this.time, "");
  }

  rebuild(items, shape) {
    this.shape = shape;
    this.rows.clear();
    this.list.replaceChildren();
    for (const item of items) this.rows.set(item.label, this.newItem(item));
  }

  newItem(item) {
    const look = ["hero", "bar", "badge"].includes(item.look) ? item.look : "row";
    const row = element("div", `ag-item ag-look-${look}`);
    const label = element("div", "ag-key", item.label);
    const place = element("div", "ag-val");
    const value = element("span", "ag-value");
    place.append(value);
    if (item.unit) place.append(element("span", "ag-of", ` ${item.unit}`));
    row.append(label, place);
    const made = { row, value, look };
    if (look === "bar") {
      made.bar = element("div", "ag-bar");
      made.fill = element("div", "ag-bar-fill");
      made.bar.setAttribute("aria-hidden", "true"); // the value beside it says the same
      made.bar.append(made.fill);
      row.append(made.bar);
    }
    this.list.append(row);
    return made;
  }

  drawItem(made, item) {
    if (made.look === "badge") badge(made.value, item.text);
    else setText(made.value, item.text);
    made.row.title = item.hint ?? "";
    if (made.fill) {
      const level = typeof item.level === "number" ? item.level : 0;
      made.fill.style.transform = `scaleX(${level})`;
      made.bar.classList.toggle("ag-unknown", typeof item.level !== "number");
    }
  }
}

export default defineWidget(
  () => new Values(),
  (context) => new CardView(context),
);
