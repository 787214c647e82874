// The chosen tensor as a grid above its storage as a strip; the entry that is pointed at is marked in both.
const SIDE = 36;
const PER_LINE = 16;
let view = data.views[0];
let place = [];  // the index of the marked entry

const placeInStorage = (index) => index.reduce((sum, i, d) => sum + i * view.strides[d], view.offset);
const list = (numbers) => `(${numbers.join(", ")}${numbers.length === 1 ? "," : ""})`;

function indices(shape) {
  return shape.reduce((all, length) => all.flatMap((index) => Array.from({length}, (_, i) => [...index, i])), [[]]);
}

function cell(x, y, value, label, attributes) {
  return make("g", {...attributes, transform: `translate(${x} ${y})`},
    make("rect", {class: "cell", width: SIDE, height: SIDE, rx: 3}),
    make("text", {x: SIDE / 2, y: SIDE / 2}, number(value)),
    ...(label === null ? [] : [make("text", {class: "small", x: SIDE / 2, y: SIDE + 9}, label)]));
}

// Where an entry stands: the last dimension across, the one before it down, the first of three in blocks.
function position(index) {
  const [block, row, column] = [...Array(3 - index.length).fill(0), ...index];
  const columns = view.shape[view.shape.length - 1] ?? 1;
  return [block * (columns * SIDE + 18) + column * SIDE, row * SIDE];
}

function drawTensor() {
  const numbers = data.storages[view.storage].numbers;
  const cells = indices(view.shape).map((index) => {
    const [x, y] = position(index);
    const point = () => { place = index; mark(); };
    return cell(x, y, numbers[placeInStorage(index)], null, {"data-index": index.join(), pointerenter: point, click: point});
  });
  const corners = indices(view.shape).map(position);
  const width = Math.max(0, ...corners.map((c) => c[0])) + SIDE, height = Math.max(0, ...corners.map((c) => c[1])) + SIDE;
  one("#tensor").replaceChildren(make("svg", {width, height, viewBox: `0 0 ${width} ${height}`}, ...cells));
}

function drawStorage() {
  const {numbers, itemsize, owner} = data.storages[view.storage];
  const reached = new Set(indices(view.shape).map(placeInStorage));
  const cells = numbers.map((value, k) => cell((k % PER_LINE) * SIDE, Math.floor(k / PER_LINE) * (SIDE + 20), value, k,
    {"data-place": k, class: reached.has(k) ? "used" : ""}));
  const width = Math.min(numbers.length, PER_LINE) * SIDE, height = Math.ceil(numbers.length / PER_LINE) * (SIDE + 20);
  one("#storage").replaceChildren(make("svg", {width, height, viewBox: `0 0 ${width} ${height}`}, ...cells));
  const whose = owner === view.name ? "Its own storage" : `The storage of ${owner}, shared`;
  one("#whose").textContent = `${whose}: ${numbers.length} numbers of ${itemsize} bytes, ${numbers.length * itemsize} bytes in a line`;
}

function drawFacts() {
  const facts = {
    shape: list(view.shape), strides: list(view.strides), offset: view.offset, dtype: view.dtype,
    contiguous: view.contiguous ? "yes: read in order, no gaps" : "no",
  };
  one("#facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {class: "code", id: name}, String(value))]));
}

function mark() {
  for (const element of document.querySelectorAll(".here")) element.classList.remove("here");
  const k = placeInStorage(place);
  one(`[data-index="${place.join()}"]`).classList.add("here");
  one(`[data-place="${k}"]`).classList.add("here");
  const terms = place.map((i, d) => `${i} × ${view.strides[d]}`);
  one("#formula").textContent = `${view.name}[${place.join(", ")}] lies at place ${[view.offset, ...terms].join(" + ")} = ${k}`;
}

function choose(name) {
  view = data.views.find((v) => v.name === name);
  place = view.shape.map(() => 0);
  for (const button of document.querySelectorAll("#views button")) {
    button.setAttribute("aria-pressed", button.textContent === name);
  }
  drawTensor();
  drawStorage();
  drawFacts();
  mark();
}

one("#tensor").addEventListener("keydown", (event) => {
  const last = view.shape.length - 1;
  const step = {ArrowLeft: [last, -1], ArrowRight: [last, 1], ArrowUp: [last - 1, -1], ArrowDown: [last - 1, 1]}[event.key];
  if (step === undefined || step[0] < 0) return;
  event.preventDefault();
  const [d, by] = step;
  place = place.map((i, e) => (e === d ? Math.min(Math.max(i + by, 0), view.shape[d] - 1) : i));
  mark();
});

one("#views").append(...data.views.map(({name}) => make("button", {class: "code", click: () => choose(name)}, name)));
choose(view.name);
