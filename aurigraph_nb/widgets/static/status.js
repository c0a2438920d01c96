// How the connections are doing: in full, as one line that unfolds, or as a badge. Ages and countdowns go on here.

const TICK_MS = 250;
const TONE_OF = { CONNECTED: "good", PLAYING: "good", CONNECTING: "wait", RECONNECTING: "wait", SEEKING: "wait", ERROR: "bad" }; // all else is grey
const IDLE_STATES = new Set(["DISCONNECTED", "ERROR"]); // those in which the button has something to do

class Connection {
  constructor() {
    this.now = null; // the newest message
    this.at = 0;
  }

  snapshot(message) {
    this.now = message;
    this.at = performance.now();
  }

  delta(message) {
    this.snapshot(message);
  }

  // Milliseconds since the message came.
  passed() {
    return performance.now() - this.at;
  }

  word() {
    const { state, ended, word } = this.now;
    if (word) return word;
    return ended && state === "DISCONNECTED" ? "ENDED" : state;
  }
}

function connTone(word) {
  return Object.hasOwn(TONE_OF, word) ? TONE_OF[word] : "calm";
}

const LINK_HEADS = ["Connection", "State", "Quality", "Latency ms", "Attempts", "Reconnects", "Messages", "Last error"];
const TOPIC_HEADS = ["Topic", "State", "Messages", "Rate /s", "Lag ms", "Last frame", "Not understood", "Dropped"];

// ---- the badge: a dot and a word

class BadgeView {
  constructor({ data, body, root, link }) {
    this.data = data;
    this.link = link;
    root.classList.add("ag-inline");
    this.state = element("span", "ag-none", "–");
    this.state.setAttribute("role", "status");
    body.append(this.state);
  }

  draw() {
    if (this.data.now === null) return;
    const word = this.data.word();
    const tone = this.link.gone ? "calm" : connTone(word);
    badge(this.state, word, tone);
    this.state.classList.toggle("ag-moving-dot", tone === "wait");
    this.state.title = this.data.now.error ?? "";
  }
}

// ---- a table whose rows come as lists of cells

class Rows {
  constructor(heads, name, badges, words) {
    this.badges = badges; // columns that are shown as badges, with their tones
    this.words = words; // columns of text, to the left
    this.table = element("table", `ag-grid ag-topics ${name}`);
    const row = element("tr");
    heads.forEach((text, i) => {
      const head = element("th", this.leftOf(i) ? "" : "ag-num", text);
      head.scope = "col";
      row.append(head);
    });
    this.columns = heads.length;
    const head = element("thead");
    head.append(row);
    this.rows = element("tbody");
    this.table.append(head, this.rows);
  }

  leftOf(i) {
    return this.words.has(i) || i in this.badges;
  }

  // Cells that are null are not shown at all: their column is left out.
  draw(rows, left) {
    while (this.rows.rows.length > rows.length) this.rows.deleteRow(-1);
    for (const [i, head] of [...this.table.tHead.rows[0].cells].entries()) show(head, !left.has(i));
    rows.forEach((cells, i) => this.drawRow(this.rows.rows[i] ?? this.newRow(), cells, left));
  }

  newRow() {
    const row = this.rows.insertRow();
    for (let i = 0; i < this.columns; i += 1) {
      const cell = row.insertCell();
      cell.className = i in this.badges ? "ag-badge-cell" : this.words.has(i) ? "ag-text" : "ag-number";
      cell.append(element("span", "ag-value"));
    }
    return row;
  }

  drawRow(row, cells, left) {
    cells.forEach((text, i) => {
      show(row.cells[i], !left.has(i));
      const value = row.cells[i].firstChild;
      if (i in this.badges) badge(value, text, this.badges[i](text));
      else setText(value, text);
    });
  }
}

// ---- the full form, and the compact one that is made of the same parts

class StatusView {
  constructor({ data, model, body, link, view, root }) {
    this.data = data;
    this.link = link;
    this.view = view;
    this.setup = model.get("_setup");
    this.compact = this.setup.form === "compact";
    if (this.setup.fixed) {
      // In the page itself: a notebook's own boxes would hold it.
      document.body.append(root);
      root.classList.add("ag-fixed");
    }
    this.buildParts(model);
    if (this.compact) this.buildCompact(body, root);
    else this.buildFull(body);
    this.timer = setInterval(() => view.schedule(), TICK_MS);
  }

  buildParts(model) {
    this.dot = element("span", "ag-dot");
    this.dot.setAttribute("aria-hidden", "true");
    this.state = element("span", "ag-badge");
    this.state.setAttribute("role", "status");
    this.detail = element("span", "ag-meta ag-detail");
    this.health = element("span", "ag-meta ag-health");
    this.standing = element("span");
    this.bar = element("span", "ag-mini");
    this.fill = element("span", "ag-mini-fill");
    this.bar.append(this.fill);
    this.bar.setAttribute("aria-hidden", "true");
    this.healthWord = element("span", "ag-none");
    this.health.append(this.standing, this.bar, this.healthWord);
    this.url = element("span", "ag-url");
    this.button = element("button", "ag-button", "Reconnect");
    this.button.type = "button";
    this.button.addEventListener("click", () => this.reconnect());
    this.error = element("div", "ag-error");
    this.error.setAttribute("role", "status");
    this.error.hidden = true;
    this.folded = element("details", "ag-fold");
    this.folded.open = Boolean((model.get("_ui") ?? {}).open);
    this.summary = element("summary", "ag-summary");
    this.facts = element("div", "ag-facts");
    this.links = new Rows(LINK_HEADS, "ag-links", { 1: connTone, 2: toneOf }, new Set([0, 7]));
    this.topics = new Rows(TOPIC_HEADS, "", { 1: connTone }, new Set([0]));
    this.folded.append(this.summary, this.facts);
    for (const rows of [this.links, this.topics]) {
      const wide = element("div", "ag-wide");
      wide.append(rows.table);
      this.folded.append(wide);
    }
    this.folded.addEventListener("toggle", () => {
      this.hold();
      model.set("_ui", { open: this.folded.open });
      model.save_changes();
      this.view.schedule();
    });
    this.empty = element("div", "ag-empty", "No data yet");
  }

  buildFull(body) {
    const bar = header(body, this.setup.title);
    bar.classList.add("ag-conn");
    bar.append(this.dot, this.state, this.health, this.detail, this.url, this.button);
    body.append(this.error, this.folded, this.empty);
  }

  // One line; below it, while it is unfolded, everything else.
  buildCompact(body, root) {
    root.classList.add("ag-small");
    this.root = root;
    this.shownState = null;
    this.open = false;
    const bar = element("div", "ag-head ag-conn");
    this.toggle = element("button", "ag-toggle");
    this.toggle.type = "button";
    this.toggle.setAttribute("aria-label", `${this.setup.title}: details`);
    this.toggle.addEventListener("click", () => this.unfold(!this.open));
    this.toggle.append(this.dot, this.state);
    this.brief = element("span", "ag-meta");
    bar.append(this.toggle, this.brief);
    this.more = element("div", "ag-below");
    this.more.append(this.health, this.detail, this.url, this.error, this.folded, this.button);
    body.append(bar, this.more);
    root.addEventListener("pointerleave", () => this.hold());
    root.addEventListener("focusout", () => this.hold());
    this.unfold(false);
  }

  unfold(open) {
    this.open = open;
    this.toggle.setAttribute("aria-expanded", String(open));
    show(this.more, open);
    this.hold();
    this.view.schedule();
  }

  // Folds some seconds after the last touch; readers who want no motion fold it themselves.
  hold() {
    if (!this.compact) return;
    clearTimeout(this.folding);
    if (!this.open || reducedMotion()) return;
    this.folding = setTimeout(() => {
      if (this.root.matches(":hover") || this.more.contains(document.activeElement)) this.hold();
      else this.unfold(false);
    }, this.setup.fold_ms);
  }

  reconnect() {
    this.link.say("reconnect");
    this.pressed = performance.now();
    this.view.schedule();
  }

  // ---- drawing

  draw() {
    const { now } = this.data;
    show(this.empty, now === null);
    const parts = [this.folded, this.dot, this.state, this.detail, this.health, this.button];
    for (const part of parts) show(part, now !== null);
    if (now === null) return show(this.error, false);
    this.drawState(now);
    if (this.compact && !this.open) return undefined;
    this.drawHealth(now);
    setText(this.detail, this.details(now));
    setText(this.url, now.over ? "" : now.url);
    this.url.title = `${now.url}, protocol ${now.protocol}`;
    this.drawButton(now);
    this.drawError(now);
    this.drawDetails(now);
    return undefined;
  }

  drawState(now) {
    const word = this.data.word();
    const tone = this.link.gone ? "calm" : connTone(word);
    badge(this.state, word, tone);
    this.dot.className = `ag-dot ag-dot-${tone}${tone === "wait" ? " ag-moving" : ""}`;
    if (!this.compact) return;
    setText(this.brief, this.latency(now));
    if (this.shownState !== null && this.shownState !== word) this.unfold(true);
    this.shownState = word;
  }

  drawHealth(now) {
    const { total, active, health } = now;
    show(this.health, total > 0);
    if (total === 0) return;
    const share = active / total;
    setText(this.standing, `${active} of ${total}`);
    this.health.title = `${active} of ${total} connections stand`;
    this.fill.style.width = `${share * 100}%`;
    this.fill.className = `ag-mini-fill ag-fill-${share < 0.5 ? "bad" : share < 0.8 ? "wait" : "good"}`;
    show(this.healthWord, health !== null); // closed on purpose: neither well nor ill
    badge(this.healthWord, health);
  }

  drawButton(now) {
    show(this.button, now.state !== "CLOSED" && now.retry !== false && !this.link.gone);
    const busy = this.pressed !== undefined && performance.now() - this.pressed < 1500;
    this.button.disabled = busy || !IDLE_STATES.has(now.state);
    this.button.title = this.button.disabled ? `Nothing to do while ${now.state.toLowerCase()}` : "Connect again now";
  }

  latency(now) {
    return this.setup.latency && now.latency_ms !== null ? `${formatNumber(now.latency_ms, 1)} ms` : "";
  }

  details(now) {
    if (now.word) return now.facts.map(([, , words]) => words).join(" · ");
    const passed = this.data.passed();
    const parts = [];
    if (!this.compact && this.latency(now)) parts.push(`round trip ${this.latency(now)}`);
    if (now.fallback) parts.push(`polling ${now.fallback.toUpperCase()} meanwhile`);
    if (now.age_ms !== null) parts.push(`last data ${formatAge(now.age_ms + passed)} ago`);
    if (now.attempts > 0) parts.push(`attempt ${now.attempts}`);
    if (now.next_try_ms !== null) {
      const left = now.next_try_ms - passed;
      parts.push(left > 0 ? `next try in ${formatAge(left)}` : "trying now");
    }
    return parts.join(" · ");
  }

  drawError(now) {
    const parts = [];
    if (now.error) parts.push(now.error);
    if (now.callback_errors) {
      parts.push(`${now.callback_errors} callback errors; the last: ${now.callback_error ?? "unknown"}`);
    }
    show(this.error, parts.length > 0);
    setText(this.error, parts.join(" · "));
  }

  drawDetails(now) {
    show(this.folded, this.setup.details);
    if (!this.setup.details) return;
    setText(this.summary, summaryOf(now));
    if (!this.folded.open) return;
    setText(this.facts, factsOf(now));
    this.links.draw(now.connections.map(linkCells), new Set(this.setup.latency ? [] : [2, 3]));
    now.connections.forEach((link, i) => {
      this.links.rows.rows[i].title = link[7] ?? "";
    });
    show(this.links.table, now.connections.length > 0);
    const recorded = now.run === "recording";
    setText(this.topics.table.tHead.rows[0].cells[2], recorded ? "Rows" : TOPIC_HEADS[2]);
    const left = new Set(recorded ? [3, 4, 5, 6, 7] : now.over ? [3, 4, 5] : []);
    this.topics.draw(now.topics.map((topic) => topicCells(topic, this.data.passed())), left);
    now.topics.forEach((topic, i) => {
      const row = this.topics.rows.rows[i];
      row.classList.toggle("ag-stale", topic[2]);
      row.title = topic[9] ?? "";
    });
    show(this.topics.table, now.topics.length > 0);
  }

  remove() {
    clearInterval(this.timer);
    clearTimeout(this.folding);
  }
}

function summaryOf(now) {
  if (now.run === "recording") return `${now.topics_open} of ${now.topics_total} topics recorded · ${formatNumber(now.messages)} rows`;
  if (now.over) return `${now.topics_total} topics · ${formatNumber(now.messages)} messages`;
  const words = [`${formatNumber(now.messages)} messages`];
  if (now.topics_total) words.unshift(`${now.topics_open} of ${now.topics_total} topics open`);
  if (now.lag_ms !== null) words.push(`lag up to ${formatNumber(now.lag_ms, 1)} ms`);
  if (now.stale.length) words.push(`stale: ${now.stale.join(", ")}`);
  return words.join(" · ");
}

function factsOf(now) {
  const facts = [`protocol ${now.protocol}`];
  if (now.over) facts.push(now.url);
  if (now.connection_id) facts.push(`connection ${now.connection_id}`);
  if (now.queued) facts.push(`messages waiting to be sent: ${formatNumber(now.queued)}`);
  if (now.dropped_messages) facts.push(`messages never sent: ${formatNumber(now.dropped_messages)}`);
  if (now.topics_total > now.topics.length) facts.push(`the first ${now.topics.length} topics`);
  if (now.total > now.connections.length) facts.push(`the first ${now.connections.length} connections`);
  return facts.join(" · ");
}

function linkCells([name, state, quality, latency, attempts, reconnects, messages, error]) {
  const numbers = [formatNumber(latency, 1), formatNumber(attempts), formatNumber(reconnects), formatNumber(messages)];
  return [name, state, quality, ...numbers, error ?? "–"];
}

function topicCells([name, state, stale, messages, rate, lag, age, undecoded, dropped], passed) {
  return [
    name,
    state,
    formatNumber(messages),
    formatNumber(rate, 2),
    formatNumber(lag, 1),
    age === null ? "–" : `${formatAge(age + passed)}${stale ? " stale" : ""}`,
    formatNumber(undecoded),
    formatNumber(dropped),
  ];
}

export default defineWidget(
  () => new Connection(),
  (context) => (context.model.get("_setup").form === "badge" ? new BadgeView(context) : new StatusView(context)),
);
