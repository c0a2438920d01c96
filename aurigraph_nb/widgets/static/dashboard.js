// The line above a dashboard: its name, and a button that shows it on the full screen. It talks to no kernel.

class Bar {
  constructor(title, el) {
    this.root = element("div", "ag ag-dash-bar");
    this.heading = element("div", "ag-dash-title", title);
    this.heading.setAttribute("role", "heading");
    this.heading.setAttribute("aria-level", "2");
    this.button = element("button", "ag-button", "Full screen");
    this.button.type = "button";
    this.button.addEventListener("click", () => this.toggle());
    this.button.addEventListener("keydown", (event) => event.stopPropagation());
    show(this.button, Boolean(document.fullscreenEnabled));
    this.root.append(this.heading, this.button);
    el.append(this.root);
    this.onChange = () => this.changed();
    this.onKey = (event) => this.key(event);
    document.addEventListener("fullscreenchange", this.onChange);
    document.addEventListener("keydown", this.onKey, true);
    this.stopTheme = followTheme(() => this.applyTheme());
    this.applyTheme();
    requestAnimationFrame(() => this.settle(title));
  }

  get dash() {
    return this.root.closest(".ag-dashboard");
  }

  // The grid is a plain box of widgets: its role, its name and its theme come from here.
  settle(title) {
    const { dash } = this;
    if (!dash) return;
    dash.setAttribute("role", "region");
    dash.setAttribute("aria-label", title);
    dash.tabIndex = -1;
    this.applyTheme();
  }

  applyTheme() {
    const theme = isDark() ? "dark" : "light";
    this.root.dataset.theme = theme;
    if (this.dash) this.dash.dataset.theme = theme;
  }

  get full() {
    return this.dash !== null && document.fullscreenElement === this.dash;
  }

  async toggle() {
    try {
      if (this.full) await document.exitFullscreen();
      else await this.dash?.requestFullscreen();
    } catch {
      setText(this.button, "No full screen here");
      this.button.disabled = true;
    }
  }

  // Browsers leave the full screen on Esc by themselves; a page that is driven, or a kiosk, may not.
  key(event) {
    if (event.key !== "Escape" || !this.full) return;
    event.stopPropagation();
    document.exitFullscreen().catch(() => {});
  }

  // Where the reader was is where the reader stays.
  changed() {
    const left = this.wasFull && !this.full;
    this.wasFull = this.full;
    setText(this.button, this.full ? "Leave full screen" : "Full screen");
    if ((this.full || left) && !this.dash.contains(document.activeElement)) this.button.focus({ preventScroll: true });
  }

  remove() {
    document.removeEventListener("fullscreenchange", this.onChange);
    document.removeEventListener("keydown", this.onKey, true);
    this.stopTheme();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const bar = new Bar(model.get("_title"), el);
    return () => bar.remove();
  },
};
