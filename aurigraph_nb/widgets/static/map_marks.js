// What a peer looks like: a shape and a colour for each quality, so that neither has to be told from the other.

const SVG = "http://www.w3.org/2000/svg";
const QUALITIES = new Set(["excellent", "good", "fair", "poor"]);
const LOOKS = {
  excellent: ["Excellent", (r) => `M${-r},0a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`],
  good: ["Good", (r) => polygon(r * 1.22, [-90, 30, 150])],
  fair: ["Fair", (r) => polygon(r * 1.22, [0, 90, 180, 270])],
  poor: ["Poor", (r) => polygon(r * 1.22, [45, 135, 225, 315])],
  unknown: ["Quality not told", (r) => LOOKS.excellent[1](r * 0.8)],
  connecting: ["Connecting", (r) => LOOKS.excellent[1](r)],
  off: ["Disconnected", (r) => `M${-r * 0.8},${-r * 0.8}L${r * 0.8},${r * 0.8}M${-r * 0.8},${r * 0.8}L${r * 0.8},${-r * 0.8}`],
};
const ALWAYS_NAMED = new Set([...QUALITIES, "off"]);

function polygon(r, degrees) {
  const corners = degrees.map((d) => [r * Math.cos((d * Math.PI) / 180), r * Math.sin((d * Math.PI) / 180)]);
  return `M${corners.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join("L")}Z`;
}

function lookOf(peer) {
  if (peer.status === "DISCONNECTED") return "off";
  if (peer.status === "CONNECTING") return "connecting";
  const quality = String(peer.quality).toLowerCase();
  return QUALITIES.has(quality) ? quality : "unknown";
}

function drawing(tag, className, parent) {
  const made = document.createElementNS(SVG, tag);
  if (className) made.setAttribute("class", className);
  parent?.append(made);
  return made;
}

function moveTo(node, x, y) {
  node.style.translate = `${x.toFixed(1)}px ${y.toFixed(1)}px`;
}

// Rings that open where a peer came and close where one went; a few at a time, and none for who asked for less motion.
const MOST_PULSES = 40;

function pulse(layer, x, y, look, kind) {
  if (layer.childElementCount >= MOST_PULSES || reducedMotion()) return;
  const ring = drawing("circle", `ag-map-pulse ag-map-${look} ag-map-${kind}`, layer);
  ring.setAttribute("r", 14);
  moveTo(ring, x, y);
  ring.addEventListener("animationend", () => ring.remove());
  setTimeout(() => ring.remove(), 3000); // an animation out of sight may never end
}
