// Alarms that are not dismissed yet, newest first.

const SIGNS = { error: "✕", warning: "▲", info: "•" };

class Alarms {
  constructor() {
    this.alarms = [];
  }

  snapshot(message) {
    this.alarms = message.alarms.toSorted((a, b) => b.at - a.at);
  }

  delta(message) {
    this.snapshot(message);
  }
}

class BannerView {
  constructor({ data, body, root, link, model }) {
    this.data = data;
    this.link = link;
    this.root = root;
    this.told = "";
    root.classList.add("ag-banner");
    const bar = element("div", "ag-alarm-bar");
    this.list = element("div", "ag-alarms");
    this.list.setAttribute("role", "alert");
    this.list.setAttribute("aria-label", model.get("_setup").title);
    this.calm = element("span", "ag-meta", "No alarm");
    this.dismiss = element("button", "ag-button", "Dismiss");
    this.dismiss.type = "button";
    this.dismiss.addEventListener("click", () => this.hide());
    bar.append(this.calm, this.list, this.dismiss);
    body.append(bar);
  }

  hide() {
    const seen = this.data.alarms.map((alarm) => [alarm.alert, alarm.raised]);
    this.link.say("dismiss", { seen });
    this.data.alarms = []; // at once here; the kernel tells the other views
    this.link.refresh();
  }

  draw() {
    const { alarms } = this.data;
    show(this.calm, alarms.length === 0);
    show(this.dismiss, alarms.length > 0);
    const worst = ["error", "warning", "info"].find((severity) => alarms.some((a) => a.active && a.severity === severity));
    this.root.dataset.severity = worst ?? "none";
    const told = JSON.stringify(alarms);
    if (told === this.told) return; // what is drawn again is read aloud again
    this.told = told;
    const rows = alarms.map((alarm) => this.row(alarm));
    this.list.replaceChildren(...rows);
  }

  row(alarm) {
    const row = element("div", `ag-alarm ag-sev-${SIGNS[alarm.severity] ? alarm.severity : "info"}`);
    const sign = element("span", "ag-sign", SIGNS[alarm.severity] ?? "•");
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", alarm.severity);
    const iso = alarm.at === null ? null : isoTime(alarm.at);
    const when = element("time", "ag-when", `${formatTime(alarm.at).slice(0, 8)} UTC`);
    if (iso) when.title = `${iso}, here ${new Date(alarm.at).toLocaleString()}`;
    const state = element("span", "ag-state", alarm.active ? "now" : "over");
    row.append(sign, element("span", "ag-name", alarm.name), state, when);
    if (alarm.count > 1) row.append(element("span", "ag-count", `${alarm.count.toLocaleString("en-US")} times`));
    if (alarm.error) row.append(element("span", "ag-fault", `A function raised: ${alarm.error}`));
    return row;
  }
}

export default defineWidget(
  () => new Alarms(),
  (context) => new BannerView(context),
);
