// The map of a network: marks that are moved, not redrawn; one tab stop; details of the peer under pointer or cursor.

const MARK_SHARE = 0.4; // radius of a mark, of the distance of two
const GLIDE_MOST = 300; // more peers than that jump to a new layout
const TWIN_EVERY_MS = 1000;

class Peers {
  constructor(model) {
    this.fields = model.get("_setup").fields;
    this.wanted = (model.get("_ui") ?? {}).layout;
    this.peers = new Map();
    this.facts = { layout: null, health: null, connected: 0, total: 0, figures: [] };
    this.stamp = 0;
    this.fillings = 0;
  }

  snapshot(message) {
    this.peers.clear();
    this.fillings += 1;
    this.put(message);
  }

  delta(message) {
    if (message.reset) this.snapshot(message);
    else this.put(message);
  }

  put({ rows, removed, layout, health, connected, total, figures }) {
    for (const key of removed ?? []) this.peers.delete(key);
    for (const row of rows) {
      const peer = Object.fromEntries(this.fields.map((name, i) => [name, row[i]]));
      peer.stamp = this.stamp += 1;
      this.peers.set(peer.key, peer);
    }
    this.facts = { layout, health, connected, total, figures };
  }

  // "geo" or "radial": what the reader chose, if it can be drawn, or what the kernel says.
  layoutFor(placed) {
    const said = this.facts.layout ?? "geo";
    const wanted = ["geo", "radial"].includes(this.wanted) ? this.wanted : said;
    return wanted === "geo" && said === "radial" && placed === 0 ? "radial" : wanted;
  }

  // What a layout has to know of all peers.
  survey() {
    const counts = new Map();
    let [placed, whole] = [0, false];
    for (const peer of this.peers.values()) {
      const look = lookOf(peer);
      counts.set(look, (counts.get(look) ?? 0) + 1);
      if (peer.latitude === null) continue;
      placed += 1;
      whole ||= isBeyond(peer.latitude);
    }
    return { counts, placed, unplaced: this.peers.size - placed, whole };
  }
}

class MapView {
  constructor({ data, model, body, link, view }) {
    const { title, height } = model.get("_setup");
    Object.assign(this, { data, link, view, mostHeight: height, model });
    this.bar = header(body, title);
    this.meta = element("span", "ag-meta");
    this.bar.append(this.meta);
    this.toggles = this.makeToggles();
    const grid = element("div", "ag-map");
    this.plot = element("div", "ag-map-plot");
    this.side = new Side(title);
    grid.append(this.plot, this.side.box);
    body.append(grid);
    this.makePicture(title);
    this.tip = new Tip(this.plot);
    this.empty = element("div", "ag-empty", "No peers yet");
    this.plot.append(this.empty);
    this.say = speaker(body);
    this.twin = new Twin(body);
    this.twinDue = 0;
    this.nodes = new Map(); // key -> {node, look, seat, size}
    this.filled = 0;
    this.step = 0;
    this.pointer = new Pointer(this);
    this.width = 0;
    this.observer = new ResizeObserver(([entry]) => {
      this.width = Math.round(entry.contentRect.width);
      view.schedule();
    });
    this.observer.observe(this.plot);
  }

  makeToggles() {
    const group = element("span", "ag-map-toggles");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Layout");
    this.bar.append(group);
    const choose = (layout) => () => {
      this.data.wanted = layout;
      this.model.set("_ui", { layout });
      this.model.save_changes();
      this.link.refresh();
    };
    return {
      geo: toolButton(group, "Map", "", choose("geo")),
      radial: toolButton(group, "Rings", "By latency, around the node", choose("radial")),
    };
  }

  makePicture(title) {
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-roledescription", "map");
    this.plot.setAttribute("aria-label", `${title}: peers on a map. Arrow keys go from peer to peer; a table follows.`);
    this.picture = drawing("svg", "ag-map-glide", this.plot);
    this.picture.setAttribute("aria-hidden", "true");
    this.layers = {};
    for (const name of ["ground", "peers", "words", "pulses", "front"]) this.layers[name] = drawing("g", "", this.picture);
    this.cursor = drawing("circle", "ag-map-cursor", this.layers.front);
  }

  remove() {
    this.observer.disconnect();
    clearTimeout(this.twinTimer);
  }

  draw() {
    if (!this.width) return;
    const survey = this.data.survey();
    const layout = this.data.layoutFor(survey.placed);
    show(this.empty, this.data.peers.size === 0);
    this.drawToggles(layout, survey.placed);
    this.lay(layout, survey);
    this.drawPeers();
    this.pointer.draw();
    this.side.draw(this.data.facts, survey.counts);
    const { total } = this.data.facts;
    const drawn = this.data.peers.size;
    setText(this.meta, total > drawn ? `${formatNumber(drawn)} of ${formatNumber(total)} peers drawn` : "");
    this.drawTwin();
  }

  drawToggles(layout, placed) {
    for (const [name, button] of Object.entries(this.toggles)) button.setAttribute("aria-pressed", name === layout);
    const possible = placed > 0 || this.data.facts.layout === "geo";
    this.toggles.geo.disabled = !possible;
    this.toggles.geo.title = possible ? "By latitude and longitude" : "No peer tells its location";
  }

  // Seats are given anew when the room, the layout or the size of the marks is another; else everybody keeps theirs.
  lay(layout, survey) {
    const { width } = this;
    const height = Math.round(Math.min(this.mostHeight, Math.max(220, width / (layout === "geo" ? 2.1 : 1.15))));
    const room = [layout, width, height].join();
    const needed = stepFor(this.data.peers.size, width * height);
    this.step = room === this.room ? Math.max(needed, this.step) : needed;
    const spacing = STEPS[this.step][1];
    const Ground = layout === "geo" ? WorldGround : RingGround;
    const ground = new Ground(width, height, spacing, survey);
    const laid = [room, spacing, survey.whole, ground.strip?.rows].join();
    const glides = layout !== this.layout || room === this.room;
    Object.assign(this, { room, layout });
    const still = laid !== this.laid && !(glides && this.data.peers.size <= GLIDE_MOST);
    this.picture.setAttribute("class", still ? "" : "ag-map-glide");
    if (laid === this.laid) return;
    Object.assign(this, { laid, ground, seats: new Seats(spacing) });
    this.plot.style.height = `${height}px`;
    this.layers.ground.replaceChildren();
    this.layers.words.replaceChildren();
    ground.draw(this.layers.ground, this.layers.words);
    this.cursor.setAttribute("r", spacing * MARK_SHARE + 5);
  }

  drawPeers() {
    const { peers, fillings } = this.data;
    const lively = this.filled === fillings; // what a snapshot brings is not news
    this.filled = fillings;
    for (const key of this.nodes.keys()) if (!peers.has(key)) this.takeAway(key, lively);
    for (const peer of peers.values()) this.drawPeer(peer, lively);
  }

  drawPeer(peer, lively) {
    const seat = this.ground.seat(this.seats, peer);
    const size = this.seats.spacing * MARK_SHARE;
    const look = lookOf(peer);
    const old = this.nodes.get(peer.key);
    const node = old?.node ?? drawing("path", "", this.layers.peers);
    if (!old || old.look !== look || old.size !== size) {
      node.setAttribute("d", LOOKS[look][1](size));
      node.setAttribute("class", `ag-map-peer ag-map-${look}${!old && lively ? " ag-map-new" : ""}`);
    }
    if (old?.seat !== seat) moveTo(node, seat.x, seat.y);
    const came = !old || (old.look === "off" && look !== "off");
    const went = old && old.look !== "off" && look === "off";
    if (lively && (came || went)) pulse(this.layers.pulses, seat.x, seat.y, look, came ? "in" : "out");
    this.nodes.set(peer.key, { node, look, seat, size });
  }

  takeAway(key, lively) {
    const { node } = this.nodes.get(key);
    this.nodes.delete(key);
    this.seats.leave(key);
    if (!lively || reducedMotion()) {
      node.remove();
      return;
    }
    node.classList.add("ag-map-gone");
    node.addEventListener("animationend", () => node.remove());
    setTimeout(() => node.remove(), 1000);
  }

  drawTwin() {
    const now = Date.now();
    clearTimeout(this.twinTimer);
    if (now < this.twinDue) {
      this.twinTimer = setTimeout(() => this.view.schedule(), this.twinDue - now);
      return;
    }
    const { health, connected, total } = this.data.facts;
    const caption = total ? `Peers: ${connected} of ${total} connected, health ${health}` : "Peers: none yet";
    const more = this.twin.update(this.data.peers, caption);
    this.twinDue = more ? 0 : now + TWIN_EVERY_MS;
    if (more) this.view.schedule();
  }
}

export default defineWidget(
  (model) => new Peers(model),
  (context) => new MapView(context),
);
