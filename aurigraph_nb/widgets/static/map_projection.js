// Where a place on Earth is on the map: the Natural Earth projection, whose round shape keeps land at a likeness of its
// size. Lengths are in radii of the globe until a frame puts them into pixels.

function project(longitude, latitude) {
  const [l, p] = [(longitude * Math.PI) / 180, (latitude * Math.PI) / 180];
  const p2 = p * p;
  const p4 = p2 * p2;
  const x = l * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4)));
  const y = p * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4)));
  return [x, y];
}

const INHABITED = { south: -57, north: 84 }; // what is shown unless a peer is beyond
const WHOLE = { south: -90, north: 90 };
const MERIDIAN_STEPS = 30;

// The map in a room of `width` times `height` pixels, as large as fits, in the middle.
function mapFrame(width, height, whole = false) {
  const { south, north } = whole ? WHOLE : INHABITED;
  const half = project(180, 0)[0];
  const [bottom, top] = [project(0, south)[1], project(0, north)[1]];
  const scale = Math.min(width / (2 * half), height / (top - bottom));
  const [x0, y0] = [width / 2, height / 2 + ((top + bottom) / 2) * scale];
  return {
    south,
    north,
    at(longitude, latitude) {
      const [x, y] = project(longitude, latitude);
      return [x0 + x * scale, y0 - y * scale];
    },
  };
}

function isBeyond(latitude) {
  return latitude < INHABITED.south || latitude > INHABITED.north;
}

function pathOf(points) {
  return `M${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}Z`;
}

function landPath(frame, rings) {
  return rings.map((ring) => pathOf(ring.map(([longitude, latitude]) => frame.at(longitude, latitude)))).join("");
}

// The edge of what is shown of the globe.
function globePath(frame) {
  const { south, north } = frame;
  const steps = Array.from({ length: MERIDIAN_STEPS + 1 }, (_, i) => south + ((north - south) * i) / MERIDIAN_STEPS);
  const west = steps.map((latitude) => frame.at(-180, latitude));
  const east = steps.reverse().map((latitude) => frame.at(180, latitude));
  return pathOf([...west, ...east]);
}
