// Which peer is meant, by pointer or keyboard.

const NEAR_PX = 14; // how near the pointer has to be

class Pointer {
  constructor(map) {
    this.map = map;
    this.hovered = null;
    this.chosen = null;
    const { plot } = map;
    plot.addEventListener("pointermove", (event) => this.hover(this.near(event)));
    plot.addEventListener("pointerleave", () => this.hover(null));
    plot.addEventListener("click", (event) => this.choose(this.near(event), false));
    plot.addEventListener("blur", () => this.choose(null, false));
    plot.addEventListener("keydown", (event) => this.press(event));
  }

  near({ clientX, clientY }) {
    const { left, top } = this.map.plot.getBoundingClientRect();
    let [found, least] = [null, NEAR_PX ** 2];
    for (const [key, { seat }] of this.map.nodes) {
      const far = (seat.x - clientX + left) ** 2 + (seat.y - clientY + top) ** 2;
      if (far < least) [found, least] = [key, far];
    }
    return found;
  }

  hover(key) {
    if (key === this.hovered) return;
    this.hovered = key;
    this.draw();
  }

  choose(key, aloud) {
    this.chosen = key;
    this.draw();
    const peer = this.map.data.peers.get(key);
    if (aloud && peer) this.map.say(sentenceOf(peer));
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
    event.stopPropagation(); // JupyterLab has shortcuts on plain keys
    if (event.key === "Escape") {
      this.hovered = null;
      this.choose(null, false);
      return;
    }
    const next = nextPeer(this.map.nodes, this.chosen, event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.choose(next, true);
  }

  draw() {
    const { map } = this;
    const key = this.hovered ?? this.chosen;
    const peer = map.data.peers.get(key);
    const seat = map.nodes.get(key)?.seat;
    map.cursor.style.display = peer && seat ? "" : "none";
    if (peer && seat) moveTo(map.cursor, seat.x, seat.y);
    map.tip.draw(peer, seat);
  }
}

// The peer that a key leads to: left and right through all of them from west to east, up and down to the nearest there.
function nextPeer(nodes, from, key) {
  if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(key) || nodes.size === 0) return undefined;
  const all = [...nodes].map(([name, { seat }]) => ({ name, x: seat.x, y: seat.y }));
  all.sort((a, b) => a.x - b.x || a.y - b.y || (a.name < b.name ? -1 : 1));
  const at = all.findIndex(({ name }) => name === from);
  if (key === "Home" || (at < 0 && key !== "End")) return all[0].name;
  if (key === "End") return all.at(-1).name;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    return all[(at + (key === "ArrowRight" ? 1 : -1) + all.length) % all.length].name;
  }
  const here = all[at];
  const sign = key === "ArrowDown" ? 1 : -1;
  let [found, least] = [here, Infinity];
  for (const peer of all) {
    const [down, across] = [(peer.y - here.y) * sign, Math.abs(peer.x - here.x)];
    const cost = down + 2 * across;
    if (down > 0 && across <= 2 * down && cost < least) [found, least] = [peer, cost];
  }
  return found.name;
}
