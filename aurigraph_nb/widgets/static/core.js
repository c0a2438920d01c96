// What all widgets share in the browser: the link to the kernel, when to draw, the notice line, small helpers.
// Put before each widget's own file; there is no bundler and nothing is imported.

const FRAME_GRACE_MS = 2000; // out of sight for so long: tell the kernel to rest
const ACK_LATEST_MS = 400; // a lone message is acknowledged after so long, two at once
const BREATH_MS = 250;
const HELLO_AGAIN_MS = [3000, 6000, 12000, 30000];
const KERNEL_GONE = new Set(["restarting", "autorestarting", "terminating", "dead"]);

// ---- elements: text goes in as text, and only so

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = String(text);
  return made;
}

function setText(node, text) {
  const words = String(text);
  if (node.textContent !== words) node.textContent = words;
}

function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// ---- words of the feed that have a colour; every other word is shown plain

const TONES = new Map(
  Object.entries({
    good: "ACTIVE CONFIRMED SUCCESS CONNECTED HEALTHY OPTIMAL EXCELLENT COMMITTED LEADER",
    fine: "GOOD FOLLOWER PROPOSING",
    wait: "PENDING CONNECTING RECONNECTING DEGRADED FAIR UNBONDING STANDBY SYNCING CANDIDATE ELECTING IN_PROGRESS",
    bad: "JAILED FAILED DISCONNECTED CRITICAL POOR ERROR OFFLINE UNHEALTHY",
    calm: "INACTIVE CLOSED OBSERVER ENDED",
  }).flatMap(([tone, words]) => words.split(" ").map((word) => [word, tone])),
);

function toneOf(word) {
  return TONES.get(String(word).toUpperCase()) ?? "plain";
}

function badge(node, word, tone = toneOf(word)) {
  const known = word !== null && word !== undefined && word !== "–";
  node.className = known ? `ag-badge ag-tone-${tone}` : "ag-none";
  setText(node, known ? word : "–");
}

// ---- numbers and times

const NUMBERS = new Map();

function numberFormat(digits) {
  if (!NUMBERS.has(digits)) {
    const options =
      digits === null || digits === undefined
        ? { maximumSignificantDigits: 6 }
        : { minimumFractionDigits: digits, maximumFractionDigits: digits };
    NUMBERS.set(digits, new Intl.NumberFormat("en-US", options));
  }
  return NUMBERS.get(digits);
}

// Whole numbers keep all their digits; those beyond 2^53 come as text.
function formatNumber(value, digits) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") {
    return /^-?\d{1,60}$/.test(value) ? BigInt(value).toLocaleString("en-US") : value;
  }
  return Number.isInteger(value) && !digits ? value.toLocaleString("en-US") : numberFormat(digits).format(value);
}

function isoTime(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function formatTime(ms) {
  const iso = ms === null || ms === undefined ? null : isoTime(ms);
  return iso === null ? "–" : iso.slice(11, 23);
}

function formatAge(ms) {
  if (ms === null || ms === undefined) return "–";
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

// ---- theme: JupyterLab, VS Code, or the system's

function isDark() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  const classes = document.body.classList;
  if (classes.contains("vscode-dark") || classes.contains("vscode-high-contrast")) return true;
  if (classes.contains("vscode-light")) return false;
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function followTheme(changed) {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-name"] });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", changed);
  };
}

// ---- the link to the kernel: one a model, whatever number of views it has

class Link {
  // `data` keeps what the kernel sent: snapshot(message, buffers), delta(message, buffers).
  constructor(model, data) {
    this.model = model;
    this.data = data;
    this.page = Math.random().toString(36).slice(2, 12);
    this.views = new Set();
    this.number = 0; // of the newest message applied
    this.acknowledged = 0;
    this.waiting = true; // for a snapshot
    this.answered = false; // whether any snapshot ever came
    this.gone = false;
    this.patient = true; // false once an answer is overdue
    this.notice = {};
    this.tries = 0;
    this.shown = false;
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    model.on("msg:custom", this.onMessage);
    this.stopKernel = this.watchKernel(model.widget_manager?.kernel);
    this.onVisibility = () => this.look();
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  close() {
    this.gone = true;
    clearTimeout(this.helloTimer);
    clearTimeout(this.restTimer);
    clearTimeout(this.ackTimer);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.model.off("msg:custom", this.onMessage);
    this.stopKernel();
  }

  // A restarted kernel knows nothing of this widget. JupyterLab tells; elsewhere a message that fails does.
  watchKernel(kernel) {
    if (!kernel?.statusChanged?.connect) return () => {};
    const changed = (_, status) => {
      if (KERNEL_GONE.has(status)) this.lost();
    };
    const ended = () => this.lost();
    kernel.statusChanged.connect(changed);
    kernel.disposed?.connect(ended);
    return () => {
      kernel.statusChanged.disconnect(changed);
      kernel.disposed?.disconnect(ended);
    };
  }

  say(kind, more) {
    if (this.gone) return;
    try {
      this.model.send({ kind, page: this.page, ...more });
    } catch {
      this.lost();
    }
  }

  lost() {
    this.gone = true;
    this.refresh();
  }

  // ---- from the kernel

  receive(message, buffers) {
    if (!message || typeof message !== "object") return;
    if (message.kind === "snapshot") this.take(message, () => this.data.snapshot(message, buffers), true);
    else if (message.kind === "delta") this.next(message, buffers);
    else if (message.kind === "notice") this.take(message, () => {}, false);
    else this.data.other?.(message, buffers);
  }

  next(message, buffers) {
    if (this.waiting || message.number <= this.number) return;
    if (message.number !== this.number + 1) {
      this.hello(); // something was lost on the way
      return;
    }
    this.take(message, () => this.data.delta(message, buffers), false);
  }

  take(message, apply, whole) {
    if (!this.waiting && message.number <= this.number) return; // sent twice
    apply();
    this.number = message.number;
    if (message.notice) this.notice = message.notice;
    if (whole) {
      this.waiting &&= !this.shown; // one that comes late, while resting, does not stand in for an answer
      this.answered = true;
      this.patient = true;
      this.tries = 0;
      clearTimeout(this.helloTimer);
    }
    this.refresh();
  }

  // ---- to the kernel

  hello() {
    clearTimeout(this.helloTimer);
    this.waiting = true;
    if (this.gone || !this.shown) return;
    this.say("hello");
    const wait = HELLO_AGAIN_MS[Math.min(this.tries, HELLO_AGAIN_MS.length - 1)];
    this.tries += 1;
    this.helloTimer = setTimeout(() => {
      this.patient = false;
      this.refresh();
      this.hello();
    }, wait);
  }

  // Called after drawing, so that a browser that cannot keep up slows the kernel down.
  drawn() {
    if (this.number <= this.acknowledged || !this.shown) return;
    clearTimeout(this.ackTimer);
    if (this.number - this.acknowledged >= 2 || this.waiting) this.acknowledge();
    else this.ackTimer = setTimeout(() => this.acknowledge(), ACK_LATEST_MS);
  }

  acknowledge() {
    if (this.number <= this.acknowledged || !this.shown) return;
    this.acknowledged = this.number;
    this.say("ack", { number: this.number });
  }

  // ---- what is in sight

  add(view) {
    this.views.add(view);
    this.look();
  }

  remove(view) {
    this.views.delete(view);
    this.look();
  }

  look() {
    const shown = !document.hidden && [...this.views].some((view) => view.visible);
    if (shown === this.shown) return;
    this.shown = shown;
    clearTimeout(this.restTimer);
    if (!shown) {
      this.restTimer = setTimeout(() => this.rest(), FRAME_GRACE_MS);
      return;
    }
    if (this.waiting) {
      this.tries = 0;
      this.hello();
    }
    this.refresh();
  }

  rest() {
    clearTimeout(this.helloTimer);
    this.waiting = true;
    this.say("rest");
  }

  refresh() {
    for (const view of this.views) view.schedule();
  }
}

// ---- a view: draws in animation frames, and not while nobody can see it

class View {
  constructor(link, el, build) {
    this.link = link;
    this.visible = false;
    this.queued = false;
    this.root = element("div", "ag");
    this.body = element("div", "ag-body");
    this.mark = element("div", "ag-made-up");
    this.mark.append(element("b", "", "Simulated"), " – made-up figures, because the feed is disconnected");
    this.mark.hidden = true;
    this.line = element("div", "ag-notice");
    this.line.setAttribute("role", "status");
    this.line.hidden = true;
    this.root.append(this.mark, this.body, this.line);
    el.append(this.root);
    this.applyTheme();
    this.part = build({ link, data: link.data, model: link.model, root: this.root, body: this.body, view: this });
    this.stopTheme = followTheme(() => this.applyTheme());
    this.observer = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1].isIntersecting;
      link.look();
      if (this.visible) this.schedule();
    });
    this.observer.observe(this.root);
    link.add(this);
    this.schedule();
  }

  applyTheme() {
    const theme = isDark() ? "dark" : "light";
    if (this.root.dataset.theme === theme) return;
    this.root.dataset.theme = theme;
    this.part?.theme?.();
  }

  schedule() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      if (this.visible && !document.hidden) this.draw();
    });
  }

  // In a dashboard one region speaks for all, so that a reader's ear is not filled by nine of them at once.
  join(dash) {
    this.joined = true;
    if (dash === null) return;
    regionOf(dash);
    const nodes = [...this.root.querySelectorAll("[role=status], [role=log]")];
    for (const node of nodes) node.setAttribute("aria-live", "off");
    this.ears = nodes.filter((node) => node.getAttribute("role") === "status").map((node) => {
      const ear = new MutationObserver(() => speakIn(dash, node));
      ear.observe(node, { childList: true, characterData: true, subtree: true });
      return ear;
    });
  }

  draw() {
    if (!this.joined) this.join(this.root.closest(".ag-dashboard"));
    let failure = null;
    try {
      this.part.draw();
    } catch (error) {
      failure = `Could not draw: ${error.message}`;
    }
    this.drawNotice(failure);
    this.link.drawn();
  }

  drawNotice(failure) {
    const [words, tone] = noticeOf(this.link, failure);
    show(this.line, words !== "");
    this.line.className = `ag-notice ag-notice-${tone}`;
    setText(this.line, words);
    show(this.mark, Boolean(this.link.notice.simulated));
    this.root.classList.toggle("ag-off", this.link.gone || Boolean(this.link.notice.closed));
    this.drawRun(this.link.notice.run);
  }

  // What is over is no trouble: the head says in calm words what it is, and what serves a live feed only is put away.
  drawRun(run) {
    const over = Boolean(run?.over);
    this.root.classList.toggle("ag-over", over);
    if (!over && !this.run) return;
    if (!this.run) {
      this.run = element("span", "ag-meta ag-run");
      this.run.append(element("span"), element("span"));
      this.root.querySelector(".ag-title")?.after(this.run);
    }
    show(this.run, over);
    if (!over) return;
    setText(this.run.firstChild, run.what);
    setText(this.run.lastChild, run.words);
    this.run.title = run.at === null ? "" : `${isoTime(run.at)?.slice(0, 19).replace("T", " ")} UTC; here ${new Date(run.at).toLocaleString()}`;
  }

  remove() {
    this.observer.disconnect();
    this.ears?.forEach((ear) => ear.disconnect());
    this.stopTheme();
    this.part.remove?.();
    this.link.remove(this);
    this.root.remove();
  }
}

// The one thing worth saying below a widget, and how it looks.
function noticeOf(link, failure) {
  const { error, errors, last, closed, link: state, simulated, run } = link.notice;
  if (link.gone) return ["The kernel is gone; this is what it last sent.", "calm"];
  if (failure) return [failure, "error"];
  if (error) return [errors > 1 ? `${error} (${errors} times)` : error, "error"];
  if (closed) return ["Closed. What was received stays here.", "calm"];
  if (!link.patient) return ["Waiting for the kernel …", "calm"];
  if (state && run?.kind === "replay") return [`The feed was ${String(state).toLowerCase()} at this point of the recording.`, "wait"];
  if (state && !simulated) return [`Feed ${String(state).toLowerCase()}; this is the last known state.`, "wait"];
  if (errors) return [`${errors} ${errors === 1 ? "error" : "errors"} so far; the last: ${last}`, "calm"];
  return ["", "calm"];
}

// The polite region of a dashboard; it is there before anything is said in it.
function regionOf(dash) {
  const found = dash.querySelector(":scope > .ag-voice");
  if (found) return found;
  const made = element("div", "ag-voice");
  made.setAttribute("role", "status");
  dash.append(made);
  return made;
}

// What changes at the same time is said in one breath; the words wait on the region, which all widgets share.
function speakIn(dash, node) {
  if (!node.textContent || !node.checkVisibility()) return;
  const region = regionOf(dash);
  region.agWords ??= new Set();
  if (region.agWords.size === 0) {
    setTimeout(() => {
      setText(region, [...region.agWords].join(". "));
      region.agWords.clear();
    }, BREATH_MS);
  }
  region.agWords.add(node.textContent);
}

function header(body, title) {
  const bar = element("div", "ag-head");
  const heading = element("div", "ag-title", title);
  bar.append(heading);
  body.append(bar);
  return bar;
}

function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// A button that asks the kernel to empty the list.
function clearButton(bar, link, hint, cleared) {
  const button = element("button", "ag-button ag-live-only", "Clear");
  button.type = "button";
  button.title = hint;
  button.setAttribute("aria-label", hint);
  button.addEventListener("click", () => {
    link.say("clear");
    cleared?.();
  });
  bar.append(button);
  return button;
}

// anywidget calls this once a model, and hands initialize and render different model objects: they share `link`.
function defineWidget(makeData, build) {
  return () => {
    let link;
    return {
      initialize({ model }) {
        link = new Link(model, makeData(model));
        return () => link.close();
      },
      render({ model, el }) {
        const view = new View(link, el, (context) => build({ ...context, model }));
        return () => view.remove();
      },
    };
  };
}
