// How the connection is doing. Ages and the countdown go on here between messages.

const TICK_MS = 250;

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
}

const TOPIC_HEADS = ["Topic", "State", "Messages", "Rate /s", "Lag ms", "Last frame", "Not understood", "Dropped"];

class StatusView {
  constructor({ data, model, body, link, view }) {
    this.data = data;
    this.link = link;
    const bar = header(body, model.get("_setup").title);
    bar.classList.add("ag-conn");
    this.dot = element("span", "ag-dot");
    this.dot.setAttribute("aria-hidden", "true");
    this.state = element("span", "ag-badge");
    this.state.setAttribute("role", "status");
    this.detail = element("span", "ag-meta ag-detail");
    this.url = element("span", "ag-url");
    this.button = element("button", "ag-button", "Reconnect");
    this.button.type = "button";
    this.button.addEventListener("click", () => this.reconnect());
    bar.append(this.dot, this.state, this.detail, this.url, this.button);
    this.error = element("div", "ag-error");
    this.error.setAttribute("role", "status");
    this.folded = element("details", "ag-fold");
    this.folded.open = Boolean((model.get("_ui") ?? {}).open);
    this.summary = element("summary", "ag-summary");
    this.table = this.buildTable();
    const wide = element("div", "ag-wide");
    wide.append(this.table);
    this.folded.append(this.summary, wide);
    this.folded.addEventListener("toggle", () => {
      model.set("_ui", { open: this.folded.open });
      model.save_changes();
    });
    this.empty = element("div", "ag-empty", "No data yet");
    body.append(this.error, this.folded, this.empty);
    this.timer = setInterval(() => view.schedule(), TICK_MS);
  }

  buildTable() {
    const table = element("table", "ag-grid ag-topics");
    const row = element("tr");
    TOPIC_HEADS.forEach((words, i) => {
      const head = element("th", i > 1 ? "ag-num" : "", words);
      head.scope = "col";
      row.append(head);
    });
    const head = element("thead");
    head.append(row);
    this.rows = element("tbody");
    table.append(head, this.rows);
    return table;
  }

  reconnect() {
    this.link.say("reconnect");
    this.button.disabled = true;
    setTimeout(() => {
      this.button.disabled = false;
    }, 1500);
  }

  draw() {
    const { now } = this.data;
    show(this.empty, now === null);
    show(this.folded, now !== null);
    for (const part of [this.dot, this.state, this.detail, this.button]) show(part, now !== null);
    if (now === null) return show(this.error, false);
    const word = now.ended && now.state !== "ERROR" ? "ENDED" : now.state;
    badge(this.state, word);
    this.dot.className = `ag-dot ag-dot-${toneOf(word)}${word === "CONNECTED" && !this.link.gone ? " ag-moving" : ""}`;
    setText(this.detail, this.details(now));
    setText(this.url, `${now.url}`);
    this.url.title = `${now.url}, protocol ${now.protocol}`;
    show(this.button, now.state !== "CLOSED" && !this.link.gone);
    this.drawError(now);
    this.drawTopics(now);
  }

  details(now) {
    const passed = this.data.passed();
    const parts = [];
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

  drawTopics(now) {
    const open = now.topics.filter((topic) => topic[1] === "CONNECTED").length;
    const messages = now.topics.reduce((sum, topic) => sum + topic[3], 0);
    const stale = now.topics.filter((topic) => topic[2]).map((topic) => topic[0]);
    const lags = now.topics.map((topic) => topic[5]).filter((lag) => lag !== null);
    const words = [`${open} of ${now.topics.length} topics connected`, `${formatNumber(messages)} messages`];
    if (lags.length) words.push(`lag up to ${formatNumber(Math.max(...lags), 1)} ms`);
    if (stale.length) words.push(`stale: ${stale.join(", ")}`);
    setText(this.summary, words.join(" · "));
    while (this.rows.rows.length > now.topics.length) this.rows.deleteRow(-1);
    if (!this.folded.open) return;
    now.topics.forEach((topic, i) => this.drawTopic(this.rows.rows[i] ?? this.newTopic(), topic));
  }

  newTopic() {
    const row = this.rows.insertRow();
    TOPIC_HEADS.forEach((_, i) => {
      const cell = row.insertCell();
      cell.className = i === 0 ? "ag-text" : i === 1 ? "ag-badge-cell" : "ag-number";
      cell.append(element("span", "ag-value"));
    });
    return row;
  }

  drawTopic(row, [name, state, stale, messages, rate, lag, age, undecoded, dropped, error]) {
    const words = [
      name,
      state,
      formatNumber(messages),
      formatNumber(rate, 2),
      formatNumber(lag, 1),
      age === null ? "–" : `${formatAge(age + this.data.passed())}${stale ? " stale" : ""}`,
      formatNumber(undecoded),
      formatNumber(dropped),
    ];
    words.forEach((text, i) => {
      const value = row.cells[i].firstChild;
      if (i === 1) badge(value, text);
      else setText(value, text);
    });
    row.classList.toggle("ag-stale", stale);
    row.title = error ?? "";
  }

  remove() {
    clearInterval(this.timer);
  }
}

export default defineWidget(
  () => new Connection(),
  (context) => new StatusView(context),
);
