// What stands around the rows of a table: captions, totals, the choice of columns, updates, details of a row.

function captionOf(bar) {
  const text = element("span", "ag-meta");
  const track = element("span", "ag-mini");
  const fill = element("span", "ag-mini-fill");
  const word = element("span", "ag-badge");
  track.append(fill);
  bar.append(text, track, word);
  return (caption) => {
    const share = typeof caption.bar === "number" ? Math.max(0, Math.min(1, caption.bar)) : null;
    setText(text, caption.text ?? "");
    text.title = caption.hint ?? "";
    show(track, share !== null);
    fill.style.width = `${(share ?? 0) * 100}%`;
    fill.className = `ag-mini-fill ag-fill-${share < 0.5 ? "bad" : share < 0.8 ? "wait" : "good"}`;
    show(word, Boolean(caption.badge));
    if (caption.badge) badge(word, caption.badge);
  };
}

function totalsOf(bar) {
  const list = element("div", "ag-totals");
  bar.append(list);
  let told = null;
  return (totals) => {
    if (told === totals) return;
    told = totals;
    list.replaceChildren(...totals.map(([word, figure, hint]) => {
      const item = element("div");
      item.title = hint ?? "";
      item.append(`${word} `, element("b", "", figure));
      return item;
    }));
  };
}

// A button that unfolds a part of the widget.
function foldButton(bar, words, part, changed) {
  const button = toolButton(bar, words, "", () => {
    part.hidden = !part.hidden;
    button.setAttribute("aria-expanded", String(!part.hidden));
    changed();
  });
  button.setAttribute("aria-expanded", String(!part.hidden));
  return button;
}

class Chooser {
  constructor(part, data, changed) {
    this.data = data;
    part.setAttribute("role", "group");
    part.setAttribute("aria-label", "Columns shown");
    this.chips = data.columns.map(({ label }, i) => {
      const chip = element("button", "ag-chip", label);
      chip.type = "button";
      chip.addEventListener("click", () => {
        data.chosen.set(i, chip.getAttribute("aria-pressed") === "false");
        changed();
      });
      return chip;
    });
    part.append(...this.chips);
    this.all = toolButton(part, "As they fit", "Forget the choice of columns and their widths", () => {
      data.chosen.clear();
      data.widths.clear();
      changed();
    });
  }

  draw(on) {
    this.chips.forEach((chip, i) => chip.setAttribute("aria-pressed", String(on[i])));
    this.all.disabled = !this.data.chosen.size && !this.data.widths.size;
  }
}

// The newest updates, of all rows or of those selected.
class History {
  constructor(part, data) {
    this.data = data;
    this.told = "";
    this.list = element("ol", "ag-updates");
    this.list.tabIndex = 0;
    this.list.setAttribute("aria-label", "Updates");
    part.append(this.list);
  }

  draw() {
    const { history, selected } = this.data;
    const wanted = history.filter(([, key]) => !selected.size || selected.has(key)).reverse();
    const told = `${wanted[0]?.[0]}/${wanted.length}/${[...selected].join(" ")}`;
    if (told === this.told) return;
    this.told = told;
    const lines = wanted.map(([, , ms, severity, words]) => {
      const line = element("li", severity === "info" ? "" : "ag-warned");
      const time = element("time", "ag-when", formatTime(ms).slice(0, 8));
      time.title = timeHint(ms);
      line.append(time, element("span", "", severity === "info" ? words : `▲ ${words}`));
      return line;
    });
    const none = selected.size ? "No update of the rows selected" : "No updates yet";
    this.list.replaceChildren(...(lines.length ? lines : [element("li", "ag-none", none)]));
  }
}

class Detail {
  constructor() {
    this.row = element("tr", "ag-detail");
    this.row.setAttribute("role", "row");
    const cell = element("td");
    cell.setAttribute("role", "gridcell");
    this.box = element("div", "ag-fields");
    this.box.setAttribute("role", "group");
    this.box.tabIndex = 0;
    this.box.addEventListener("keydown", (event) => event.stopPropagation());
    cell.append(this.box);
    this.row.append(cell);
    this.told = null;
  }

  draw(fields, key, room, columns) {
    this.row.cells[0].colSpan = columns;
    this.box.style.width = `${Math.max(120, room - 2)}px`;
    if (this.told === fields) return;
    this.told = fields;
    this.box.setAttribute("aria-label", `Details of ${key}`);
    this.box.replaceChildren(...fields.map(([name, value]) => {
      const item = element("div");
      item.append(element("div", "ag-meta", name), element("div", "", value));
      return item;
    }));
  }
}
