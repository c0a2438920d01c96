// What tables, logs and banners share: copying in a form that a spreadsheet takes as data, buttons, times in full.

function timeHint(ms) {
  const iso = ms === null || ms === undefined ? null : isoTime(ms);
  return iso === null ? "" : `${iso.replace("T", " ").replace("Z", " UTC")}; here ${new Date(ms).toLocaleString()}`;
}

// A text that begins like a formula would be run by a spreadsheet: an apostrophe makes it a text. Numbers stay numbers.
function safeCell(value) {
  const text = String(value ?? "").replace(/[\t\r\n\v\f\u0085\u2028\u2029]+/g, " ");
  return /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
}

const PLAIN_NUMBER = /^-?(\d{1,300}\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea"); // pages without the newer interface: those that came over plain HTTP
    const before = document.activeElement;
    area.value = text;
    area.className = "ag-unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus?.({ preventScroll: true });
    if (!done) throw new Error("this browser does not let the page copy");
  }
}

function toolButton(bar, words, hint, press) {
  const button = element("button", "ag-button ag-tool", words);
  button.type = "button";
  if (hint) button.title = hint;
  button.addEventListener("click", press);
  button.addEventListener("keydown", (event) => event.stopPropagation());
  bar.append(button);
  return button;
}

// Short words for the one polite live region of a widget; nothing that is drawn many times a second goes there.
function speaker(body) {
  const node = element("div", "ag-unseen");
  node.setAttribute("role", "status");
  body.append(node);
  return (words) => setText(node, words);
}

function searchField(placeholder, label, value, changed) {
  const input = element("input", "ag-filter");
  input.type = "search";
  input.placeholder = placeholder;
  input.value = value;
  input.setAttribute("aria-label", label);
  input.addEventListener("input", () => changed(input.value));
  // JupyterLab has shortcuts on plain keys; typing here is only typing.
  input.addEventListener("keydown", (event) => event.stopPropagation());
  return input;
}
