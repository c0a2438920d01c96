// Beside the map: figures over all peers, and what the marks mean.

const HEALTH_FILL = new Map([["HEALTHY", "good"], ["DEGRADED", "wait"], ["CRITICAL", "bad"]]);

// Health, how many are connected, latency and bytes, and what the marks mean.
class Side {
  constructor(title) {
    this.box = element("div", "ag-map-side");
    this.facts = element("div", "ag-map-facts");
    this.facts.setAttribute("role", "group");
    this.facts.setAttribute("aria-label", `${title}: totals`);
    this.box.append(this.facts);
    this.health = this.fact("Health");
    this.connected = this.fact("Connected");
    const bar = element("div", "ag-map-bar");
    bar.setAttribute("aria-hidden", "true"); // the figure above says the same
    this.fill = element("div", "ag-map-bar-fill");
    bar.append(this.fill);
    this.facts.append(bar);
    this.figures = new Map();
    this.legend = new Legend(this.box);
  }

  fact(words) {
    const row = element("div", "ag-map-fact");
    const value = element("span");
    row.append(element("span", "ag-key", words), value);
    this.facts.append(row);
    return value;
  }

  draw({ health, connected, total, figures }, counts) {
    badge(this.health, total ? health : "–");
    setText(this.connected, total ? `${formatNumber(connected)} of ${formatNumber(total)}` : "–");
    this.fill.className = `ag-map-bar-fill ag-fill-${HEALTH_FILL.get(health) ?? "wait"}`;
    this.fill.style.transform = `scaleX(${total ? connected / total : 0})`;
    for (const [words, figure, hint] of figures) {
      if (!this.figures.has(words)) this.figures.set(words, this.fact(words));
      setText(this.figures.get(words), figure);
      this.figures.get(words).title = hint;
    }
    this.legend.draw(counts);
  }
}

// The shapes with their meaning and how many there are.
class Legend {
  constructor(parent) {
    this.list = element("ul", "ag-map-legend");
    this.list.setAttribute("aria-label", "Peers by quality");
    parent.append(this.list);
    this.entries = new Map(Object.keys(LOOKS).map((look) => [look, this.entry(look)]));
  }

  entry(look) {
    const [words, shape] = LOOKS[look];
    const item = element("li");
    const picture = drawing("svg", "", item);
    for (const [name, value] of [["width", 16], ["height", 16], ["viewBox", "-8 -8 16 16"], ["aria-hidden", "true"]]) {
      picture.setAttribute(name, value);
    }
    drawing("path", `ag-map-peer ag-map-${look}`, picture).setAttribute("d", shape(5));
    const count = element("span", "ag-map-count");
    item.append(element("span", "ag-key", words), count);
    this.list.append(item);
    return { item, count };
  }

  draw(counts) {
    for (const [look, { item, count }] of this.entries) {
      const found = counts.get(look) ?? 0;
      show(item, found > 0 || ALWAYS_NAMED.has(look));
      setText(count, found.toLocaleString("en-US"));
    }
  }
}
