// The picture with its ring of zeros, the kernel as numbers to change, and the result; one place is looked at.
const CELL = 19, OWN = "your own";
const K = Object.values(data.kernels)[0].length;
const HIGH = data.picture.length, WIDE = data.picture[0].length;
const which = one("#which"), slider = one("#place");
let kernel, stride, padding, rows, columns, result;

const pixel = (i, j) => data.picture[i - padding]?.[j - padding] ?? 0;
const steps = [...Array(K).keys()];

function at(row, column) {
  let sum = 0;
  for (const i of steps) for (const j of steps) sum += kernel[i][j] * pixel(row * stride + i, column * stride + j);
  return sum;
}

function compute() {
  stride = Number(one("#stride").value);
  padding = Number(one("#padding").value);
  rows = Math.floor((HIGH + 2 * padding - K) / stride) + 1;
  columns = Math.floor((WIDE + 2 * padding - K) / stride) + 1;
  result = Array.from({length: rows}, (_, r) => Array.from({length: columns}, (_, c) => at(r, c)));
  slider.max = rows * columns - 1;
  draw();
}

function grid(high, wide, value, extra) {
  const cells = [];
  for (let i = 0; i < high; i++) for (let j = 0; j < wide; j++) {
    const box = {x: j * CELL, y: i * CELL, width: CELL, height: CELL};
    const {share, kind, ring, title} = value(i, j);
    cells.push(make("rect", {...box, class: ring ? "cell ring" : "cell", "data-at": `${i},${j}`}, make("title", {}, title)),
      make("rect", {...box, class: `value ${kind}`, "fill-opacity": share.toFixed(3)}));
  }
  const width = wide * CELL, height = high * CELL;
  return make("svg", {width: width + 4, height: height + 4, viewBox: `-2 -2 ${width + 4} ${height + 4}`}, ...cells, extra);
}

const frame = (row, column, size) =>
  make("rect", {class: "frame", x: column * CELL, y: row * CELL, width: size * CELL, height: size * CELL});

function draw() {
  const place = Number(slider.value), row = Math.floor(place / columns), column = place % columns;
  const largest = Math.max(1e-9, ...result.flat().map(Math.abs));
  one("#size").textContent = `picture ${HIGH} × ${WIDE}` + (padding ? `, ${padding} more on each side` : "");
  one("#result-size").textContent = `result ${rows} × ${columns}`;
  one("#picture").replaceChildren(grid(HIGH + 2 * padding, WIDE + 2 * padding, (i, j) => ({
    share: pixel(i, j), kind: "ink", title: number(pixel(i, j)),
    ring: i < padding || j < padding || i >= HIGH + padding || j >= WIDE + padding,
  }), frame(row * stride, column * stride, K)));
  one("#result").replaceChildren(grid(rows, columns, (i, j) => ({
    share: Math.abs(result[i][j]) / largest, kind: result[i][j] < 0 ? "minus" : "plus", title: number(result[i][j]),
  }), frame(row, column, 1)));
  one("#where").textContent = `row ${row}, column ${column}`;
  const products = steps.map((i) => steps.map((j) => {
    const weight = number(kernel[i][j]), p = number(pixel(row * stride + i, column * stride + j));
    return `${kernel[i][j] < 0 ? `(${weight})` : weight}·${p}`;
  }).join(" + ")).join(" +\n");
  one("#sum").textContent = `${products}\n= ${number(result[row][column])}`;
}

function choose() {
  if (which.value !== OWN) kernel = data.kernels[which.value].map((line) => [...line]);
  const changed = (i, j) => (event) => {
    kernel[i][j] = Number(event.target.value) || 0;
    which.value = OWN;
    compute();
  };
  one("#kernel").style.gridTemplateColumns = `repeat(${K}, 54px)`;
  one("#kernel").replaceChildren(...steps.flatMap((i) => steps.map((j) => make("input", {
    type: "number", step: "any", value: Number(kernel[i][j].toPrecision(4)), input: changed(i, j),
    "aria-label": `weight in row ${i}, column ${j}`,
  }))));
  compute();
}

which.append(...[...Object.keys(data.kernels), OWN].map((name) => make("option", {}, name)));
which.addEventListener("change", choose);
for (const name of ["#stride", "#padding"]) one(name).addEventListener("change", compute);
slider.addEventListener("input", draw);
one("#result").addEventListener("pointermove", (event) => {
  const cell = event.target.closest("[data-at]");
  if (!cell) return;
  const [i, j] = cell.dataset.at.split(",").map(Number);
  if (Number(slider.value) === i * columns + j) return;
  slider.value = i * columns + j;
  draw();
});
choose();
slider.value = Math.floor(rows / 2) * columns + Math.floor(columns / 2);
draw();
