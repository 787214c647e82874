// Click a point: the network says which class it gives to it, and to every other point of the plane.
const SIDE = 420, STEP = 4;
make("p", { textContent: "Click a point. The colours are the network's classes, the marks are the data." });
const row = make("div", { className: "row" });
const canvas = make("canvas", { width: SIDE, height: SIDE, id: "plane", tabIndex: 0 }, row);
canvas.setAttribute("role", "img");
canvas.ariaLabel = "the plane: arrow keys move the point";
const right = make("div", {}, row);
const show = scoreTable(right);
const verdict = make("p", { id: "verdict", ariaLive: "polite" }, right);
const context = canvas.getContext("2d");
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const COLOURS = dark ? ["127, 176, 255", "242, 166, 84"] : ["47, 102, 196", "189, 101, 16"];

const every = [0, 1].map((axis) => network.examples.map(({ x }) => x[axis]));
const low = every.map((values) => Math.min(...values)), high = every.map((values) => Math.max(...values));
const span = 1.2 * Math.max(high[0] - low[0], high[1] - low[1]);
const from = [0, 1].map((axis) => (low[axis] + high[axis] - span) / 2);
const toPoint = (x, y) => [from[0] + (x / SIDE) * span, from[1] + (1 - y / SIDE) * span];
const toPixel = ([x, y]) => [((x - from[0]) / span) * SIDE, (1 - (y - from[1]) / span) * SIDE];
const classify = (point) => run(Float64Array.from(point), [2]);

const ground = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
{
  const under = ground.getContext("2d");
  for (let x = 0; x < SIDE; x += STEP)
    for (let y = 0; y < SIDE; y += STEP) {
      const shares = softmax(classify(toPoint(x + STEP / 2, y + STEP / 2)));
      const best = shares.indexOf(Math.max(...shares));
      under.fillStyle = `rgba(${COLOURS[best]}, ${0.12 + 0.4 * (shares[best] - 0.5)})`;
      under.fillRect(x, y, STEP, STEP);
    }
  for (const { x, y } of network.examples) {
    const [left, top] = toPixel(x);
    under.fillStyle = `rgb(${COLOURS[y]})`;
    under.beginPath();
    if (y) under.rect(left - 3, top - 3, 6, 6);
    else under.arc(left, top, 3.4, 0, 7);
    under.fill();
  }
}

let chosen = toPixel(network.examples[0].x);
function choose(x, y) {
  chosen = [Math.min(SIDE, Math.max(0, x)), Math.min(SIDE, Math.max(0, y))];
  context.clearRect(0, 0, SIDE, SIDE);
  context.drawImage(ground, 0, 0);
  context.strokeStyle = getComputedStyle(document.body).color;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(chosen[0], chosen[1], 8, 0, 7);
  context.stroke();
  const point = toPoint(...chosen), best = show(classify(point));
  verdict.textContent = `(${point.map((v) => v.toFixed(2)).join(", ")}) is ${network.classes[best]}.`;
}
function fromEvent(event) {
  const box = canvas.getBoundingClientRect();
  choose(((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height);
}
canvas.addEventListener("pointerdown", fromEvent);
canvas.addEventListener("pointermove", (event) => event.buttons && fromEvent(event));
canvas.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-5, 0], ArrowRight: [5, 0], ArrowUp: [0, -5], ArrowDown: [0, 5] }[event.key];
  if (!move) return;
  event.preventDefault();
  choose(chosen[0] + move[0], chosen[1] + move[1]);
});
document.body.dataset.deviation = deviation([2]);
choose(...chosen);
