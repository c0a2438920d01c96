// Cells of a table: what is in them, and how they change.

const SVG = "http://www.w3.org/2000/svg";
const [SPARK_W, SPARK_H] = [100, 20];

// A share of 100, with a warning from 75 on.
function drawFill(fill, value) {
  const share = typeof value === "number" ? Math.max(0, Math.min(100, value)) : 0;
  fill.style.width = `${share}%`;
  fill.className = `ag-mini-fill ag-fill-${share >= 90 ? "bad" : share >= 75 ? "wait" : "good"}`;
}

function newSpark(cell) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${SPARK_W} ${SPARK_H}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  const line = document.createElementNS(SVG, "polyline");
  picture.append(line);
  cell.append(picture);
  return { picture, line, drawn: null };
}

function drawSpark(spark, cell, points, column) {
  if (spark.drawn === points) return;
  spark.drawn = points;
  const { path, low, high } = sparkPath(points);
  spark.line.setAttribute("points", path);
  const told = (value) => formatNumber(value, column.digits) + (column.unit ? ` ${column.unit}` : "");
  const words = path ? `${points.length} values, ${told(low)} to ${told(high)}, the last ${told(points.at(-1))}` : "no values";
  spark.picture.setAttribute("aria-label", words);
  cell.title = words;
}

function sparkPath(points) {
  const values = (points ?? []).map(numberOf).filter((value) => value !== null);
  if (values.length < 2) return { path: "" };
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (i) => ((i / (values.length - 1)) * SPARK_W).toFixed(1);
  const y = (value) => (high > low ? 2 + ((high - value) / (high - low)) * (SPARK_H - 4) : SPARK_H / 2).toFixed(1);
  return { path: values.map((value, i) => `${x(i)},${y(value)}`).join(" "), low, high };
}

function newCell(row, column, i) {
  const cell = element("td", `ag-${column.kind}`);
  cell.setAttribute("role", "gridcell");
  cell.setAttribute("aria-colindex", i + 1);
  row.append(cell);
  if (column.kind === "spark") return { cell, spark: newSpark(cell) };
  const content = element("span", "ag-value");
  cell.append(content);
  if (column.kind === "mono") content.append(element("span", "ag-begin"), element("span", "ag-end"));
  if (column.kind !== "gauge") return { cell, content };
  const bar = element("span", "ag-mini");
  const fill = element("span", "ag-mini-fill");
  bar.setAttribute("aria-hidden", "true"); // the number beside it says the same
  bar.append(fill);
  cell.prepend(bar);
  return { cell, content, fill };
}

function drawCell({ cell, content, fill, spark }, value, column) {
  if (spark) {
    drawSpark(spark, cell, value, column);
    return;
  }
  if (fill) drawFill(fill, value);
  if (column.kind === "badge") {
    badge(content, value);
    return;
  }
  const text = cellText(value, column);
  if (column.kind === "mono") setName(content, text);
  else setText(content, text);
  const full = column.kind === "time" ? timeHint(value) : column.short ? formatNumber(value, column.digits) : text;
  const title = full === "–" ? "" : full;
  if (cell.title !== title) cell.title = title;
}

// A name that is too long is cut before its end: ends are what tells names apart.
const NAME_END = 6;

function setName(content, text) {
  if (content.textContent === text) return;
  const split = text.charCodeAt(text.length - NAME_END) >> 10 === 0x37; // a low surrogate stays with its high one
  const at = Math.max(0, text.length - NAME_END - (split ? 1 : 0));
  content.firstChild.textContent = text.slice(0, at);
  content.lastChild.textContent = text.slice(at);
}

// Restarts the flash when the cell changes again, or when the slot shows another row.
function drawMark(cell, i, item) {
  const change = item ? item.marks[i] : null;
  const stamp = change === null ? "" : `${item.key}/${item.since}`;
  if (cell.dataset.mark === stamp || (stamp === "" && !cell.dataset.mark)) return;
  cell.classList.remove("ag-up", "ag-down", "ag-changed");
  if (stamp !== "") {
    void cell.offsetWidth;
    cell.classList.add(change > 0 ? "ag-up" : change < 0 ? "ag-down" : "ag-changed");
  }
  cell.dataset.mark = stamp;
}
