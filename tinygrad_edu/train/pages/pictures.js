// Draw: small pictures cell by cell, others with a pen; what is drawn is brought to the size of the data.
const { side, mean, std } = network.facts;
const CELL = Math.floor(320 / side), SIZE = CELL * side, byCell = side < 8, PEN = SIZE / 12, FINE = 4;

make("p", { textContent: byCell ? "Click or draw cells (or arrow keys and space), or take an example." : "Draw, or take an example." });
const row = make("div", { className: "row" });
const left = make("div", {}, row), right = make("div", {}, row);
const canvas = make("canvas", { width: SIZE, height: SIZE, id: "paper", ariaLabel: "drawing area", tabIndex: 0 }, left);
canvas.setAttribute("role", "img");
const paper = canvas.getContext("2d", { willReadFrequently: true });
make("br", {}, left);
const clear = make("button", { textContent: "Clear", id: "clear" }, left);
const next = make("button", { textContent: "Example", id: "example" }, left);
const show = scoreTable(right);
const verdict = make("p", { id: "verdict", ariaLive: "polite" }, right);
const seen = make("canvas", { width: 96, height: 96, id: "seen", ariaLabel: "what the network sees" }, right);
make("p", { className: "quiet", textContent: "What the network sees." }, right);
let pixels = new Float64Array(side * side), shown = -1;
let strokes = []; // each a list of points of the paper

function classify() {
  const scores = run(pixels.map((v) => (v - mean) / std), [1, side, side]);
  const empty = pixels.every((v) => v === 0);
  const best = show(scores);
  verdict.textContent = empty ? "Nothing is drawn yet." : `This looks like ${network.classes[best]}.`;
  plot(seen.getContext("2d"), 96 / side);
}

function plot(context, cell) {
  context.clearRect(0, 0, cell * side, cell * side);
  pixels.forEach((v, i) => {
    context.fillStyle = `rgba(127, 127, 127, ${v > 0 ? 0.1 : 0})`;
    const x = (i % side) * cell, y = Math.floor(i / side) * cell;
    context.fillRect(x, y, cell, cell);
    context.fillStyle = ink(v);
    context.fillRect(x, y, cell, cell);
    if (byCell && context === paper) {
      Object.assign(context, { strokeStyle: "rgba(127, 127, 127, 0.4)", lineWidth: 1 });
      context.strokeRect(x, y, cell, cell);
    }
  });
}

function ink(share) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches ? 255 : 0;
  return `rgba(${dark}, ${dark}, ${dark}, ${share})`;
}

function trace(context, width, toPlace) {
  Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round", strokeStyle: ink(1) });
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(...toPlace(points[0]));
    for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...toPlace(point));
    context.stroke();
  }
}

// how dark each pixel is when the drawing is enlarged to fill the picture, its middle moved by (right, down)
function counted(right, down) {
  const box = side * FINE, full = side < 20 ? box : (box * 20) / 28; // MNIST's digits are 20 of 28 wide
  const width = box / (side < 20 ? 5 : 10), all = strokes.flat();
  const bounds = [0, 1].map((axis) => [Math.min, Math.max].map((f) => f(...all.map((point) => point[axis]))));
  const extent = Math.max(...bounds.map(([a, b]) => b - a), PEN);
  const scale = (full - width) / extent;
  const small = Object.assign(document.createElement("canvas"), { width: box, height: box });
  const context = small.getContext("2d", { willReadFrequently: true });
  const shift = [right, down];
  trace(context, width, (point) => point.map((v, axis) => (v - (bounds[axis][0] + bounds[axis][1]) / 2) * scale + box / 2 + shift[axis]));
  const values = context.getImageData(0, 0, box, box).data, dark = new Float64Array(side * side);
  for (let y = 0; y < box; y++)
    for (let x = 0; x < box; x++)
      dark[Math.floor(y / FINE) * side + Math.floor(x / FINE)] += values[4 * (y * box + x) + 3] / 255 / FINE ** 2;
  return dark;
}

// the drawing as the data were made; MNIST's have the middle of their ink in the middle of the picture
function take() {
  pixels = counted(0, 0);
  if (side >= 20) {
    const sum = pixels.reduce((a, v) => a + v, 0), middle = [0, 0];
    pixels.forEach((v, i) => { middle[0] += (v * (i % side)) / sum; middle[1] += (v * Math.floor(i / side)) / sum; });
    pixels = counted(...middle.map((place) => ((side - 1) / 2 - place) * FINE));
  }
  classify();
}

function wipe() {
  paper.clearRect(0, 0, SIZE, SIZE);
  pixels = new Float64Array(side * side);
  strokes = [];
  if (byCell) plot(paper, CELL);
  classify();
}

let erasing = false;
function place(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * SIZE) / box.width, ((event.clientY - box.top) * SIZE) / box.height];
}
function draw([x, y]) {
  if (byCell) {
    const column = Math.floor(x / CELL), line = Math.floor(y / CELL);
    if (column < 0 || line < 0 || column >= side || line >= side) return;
    pixels[line * side + column] = erasing ? 0 : 1;
    plot(paper, CELL);
    return classify();
  }
  strokes[strokes.length - 1].push([x, y]);
  paper.clearRect(0, 0, SIZE, SIZE);
  trace(paper, PEN, (point) => point);
  take();
}
canvas.addEventListener("pointerdown", (event) => {
  if (shown >= 0 && !byCell) wipe();
  shown = -1;
  canvas.setPointerCapture(event.pointerId);
  const [x, y] = place(event);
  erasing = byCell && pixels[Math.floor(y / CELL) * side + Math.floor(x / CELL)] > 0.5;
  strokes.push([]);
  draw([x, y]);
});
canvas.addEventListener("pointermove", (event) => event.buttons && draw(place(event)));
let cell = [0, 0]; // where the keyboard is
canvas.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!byCell || (!move && event.key !== " ")) return;
  event.preventDefault();
  if (move) cell = cell.map((at, axis) => Math.min(side - 1, Math.max(0, at + move[axis])));
  const number = cell[1] * side + cell[0];
  if (!move) pixels[number] = pixels[number] > 0.5 ? 0 : 1;
  plot(paper, CELL);
  paper.strokeStyle = getComputedStyle(document.body).getPropertyValue("--best");
  paper.lineWidth = 3;
  paper.strokeRect(cell[0] * CELL + 2, cell[1] * CELL + 2, CELL - 4, CELL - 4);
  classify();
});
clear.addEventListener("click", () => { shown = -1; wipe(); });
next.addEventListener("click", () => {
  shown = (shown + 1) % network.examples.length;
  paper.clearRect(0, 0, SIZE, SIZE);
  strokes = [];
  pixels = Float64Array.from(network.examples[shown].x, (v) => Math.max(0, v * std + mean));
  plot(paper, CELL);
  classify();
});
document.body.dataset.deviation = deviation([1, side, side]);
wipe();
