// All of a peer in words: beside its mark, for the ear, and in a table that stands for the map where nobody sees it.

const TWIN_AT_ONCE = 150; // rows written in one frame
const TWIN_COLUMNS = ["Peer", "Status", "Quality", "Latency (ms)", "City", "Country", "Address", "Version", "Uptime"];

function formatBytes(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : `${formatNumber(value)} B`;
  const power = value < 1000 ? 0 : Math.min(5, Math.floor(Math.log10(value) / 3));
  return power === 0 ? `${value} B` : `${(value / 1000 ** power).toPrecision(3)} ${"kMGTP"[power - 1]}B`;
}

function formatSpan(seconds) {
  if (typeof seconds !== "number" || !(seconds >= 0)) return "–";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0 || first === 3) return `${Math.round(seconds)} s`;
  const [[size, name], [lesser, less]] = units.slice(first, first + 2);
  const rest = Math.floor((seconds % size) / lesser);
  return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${less}` : ""}`;
}

function formatPlace({ latitude, longitude }) {
  if (latitude === null) return "–";
  const [ns, ew] = [latitude < 0 ? "S" : "N", longitude < 0 ? "W" : "E"];
  return `${Math.abs(latitude).toFixed(2)}° ${ns}, ${Math.abs(longitude).toFixed(2)}° ${ew}`;
}

function latencyWords(peer) {
  return peer.latency_ms === null ? "–" : `${formatNumber(peer.latency_ms, 1)} ms`;
}

// [label, words, hint]; what is not known is left out.
function detailsOf(peer) {
  const seen = peer.last_seen === null ? null : isoTime(peer.last_seen);
  const told = [
    ["Status", peer.status],
    ["Quality", peer.quality],
    ["Latency", latencyWords(peer)],
    ["Place", [peer.city, peer.country].filter(Boolean).join(", ") || null],
    ["Location", formatPlace(peer)],
    ["Address", peer.address],
    ["Version", peer.version],
    ["Uptime", formatSpan(peer.uptime_s)],
    ["Last seen", seen && `${seen.slice(11, 19)} UTC`, seen && timeHint(peer.last_seen)],
    ["Received", formatBytes(peer.inbound)],
    ["Sent", formatBytes(peer.outbound)],
  ];
  return told.filter(([, words]) => words !== null && words !== undefined && words !== "–");
}

function sentenceOf(peer) {
  const words = detailsOf(peer).filter(([label]) => !["Last seen", "Location"].includes(label));
  return [peer.key, ...words.map(([label, text]) => `${label} ${text}`)].join(", ");
}

class Tip {
  constructor(plot) {
    this.plot = plot;
    this.box = element("div", "ag-map-tip");
    this.box.setAttribute("role", "tooltip");
    this.name = element("div", "ag-map-name");
    this.list = element("dl");
    this.box.append(this.name, this.list);
    this.box.hidden = true;
    plot.append(this.box);
  }

  draw(peer, seat) {
    show(this.box, Boolean(peer && seat));
    if (!peer || !seat) return;
    setText(this.name, peer.key);
    const told = detailsOf(peer);
    while (this.list.childElementCount > 2 * told.length) this.list.lastChild.remove();
    while (this.list.childElementCount < 2 * told.length) this.list.append(element("dt"), element("dd"));
    told.forEach(([label, words, hint], i) => {
      const [term, value] = [this.list.children[2 * i], this.list.children[2 * i + 1]];
      setText(term, label);
      setText(value, words);
      value.title = hint ?? "";
    });
    this.place(seat);
  }

  place({ x, y }) {
    const [width, height] = [this.box.offsetWidth, this.box.offsetHeight];
    const room = [this.plot.clientWidth, this.plot.clientHeight];
    const right = x + 14 + width <= room[0];
    const left = right ? x + 14 : Math.max(0, x - 14 - width);
    const top = Math.max(0, Math.min(y - height / 2, room[1] - height));
    this.box.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }
}

class Twin {
  constructor(body) {
    const box = element("div", "ag-unseen ag-map-twin");
    const table = element("table");
    this.caption = element("caption");
    const head = element("tr");
    for (const words of TWIN_COLUMNS) {
      const cell = element("th", "", words);
      cell.scope = "col";
      head.append(cell);
    }
    const top = element("thead");
    top.append(head);
    this.rows = element("tbody");
    table.append(this.caption, top, this.rows);
    box.append(table);
    body.append(box);
    this.written = new Map(); // key -> {row, stamp}
  }

  // Writes some of what changed; returns whether there is more.
  update(peers, caption) {
    setText(this.caption, caption);
    for (const [key, { row }] of this.written) {
      if (peers.has(key)) continue;
      row.remove();
      this.written.delete(key);
    }
    let left = TWIN_AT_ONCE;
    for (const [key, peer] of peers) {
      const known = this.written.get(key);
      if (known?.stamp === peer.stamp) continue;
      if (left === 0) return true;
      left -= 1;
      const row = known?.row ?? this.newRow();
      this.fill(row, peer);
      this.written.set(key, { row, stamp: peer.stamp });
    }
    return false;
  }

  newRow() {
    const row = element("tr");
    const name = element("th");
    name.scope = "row";
    row.append(name, ...TWIN_COLUMNS.slice(1).map(() => element("td")));
    this.rows.append(row);
    return row;
  }

  fill(row, peer) {
    const { key, status, quality, latency_ms: latency, city, country, address, version } = peer;
    const words = [key, status, quality, formatNumber(latency, 1), city, country, address, version];
    [...words, formatSpan(peer.uptime_s)].forEach((text, i) => setText(row.children[i], text ?? "–"));
  }
}
