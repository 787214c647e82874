// The chain from left to right: what flows as orange boxes, parameters as blue ones below the operation that uses them.
const WIDE = 150, TOP = 124, BELOW = 272;
const slider = one("#batch");

const shape = (numbers) => `(${numbers.join(", ")}${numbers.length === 1 ? "," : ""})`;
const extent = (n) => 10 + 8 * Math.log2(n + 1);
const bytes = (n) => (n < 1024 ? `${n} B` : n < 1024 * 1024 ? `${number(n / 1024, 3)} KiB` : `${number(n / 1048576, 3)} MiB`);

function box(x, y, name, facts, kind) {
  const [rows, columns] = facts.shape.length === 1 ? [1, facts.shape[0]] : facts.shape;
  const width = extent(columns), height = extent(rows);
  return make("g", {class: "tensor", "data-name": name},
    make("rect", {class: kind, x: x - width / 2, y: y - height / 2, width, height, rx: 3}),
    make("text", {x, y: y - height / 2 - 28, class: "code"}, name),
    make("text", {x, y: y - height / 2 - 10, class: "small shape"}, shape(facts.shape)),
    make("text", {x, y: y + height / 2 + 13, class: "small bytes"}, bytes(facts.bytes)));
}

function draw() {
  const run = data.runs[slider.value];
  const names = Object.keys(run);
  const width = WIDE * (2 * names.length - 1), parts = [];
  const at = new Map(names.map((name, k) => [name, WIDE * (2 * k + 0.5)]));
  names.forEach((name) => parts.push(box(at.get(name), TOP, name, run[name], "batch")));
  data.steps.forEach(([written, used, result], k) => {
    const x = WIDE * (2 * k + 1.5);
    const from = at.get(names[k]) + extent(run[names[k]].shape.at(-1)) / 2 + 6;
    const to = at.get(result) - extent(run[result].shape.at(-1)) / 2 - 6;
    parts.push(make("path", {class: "arrow", d: `M${from} ${TOP}H${to - 7}`}),
      make("polygon", {class: "head", points: `${to - 8},${TOP - 4} ${to},${TOP} ${to - 8},${TOP + 4}`}),
      make("text", {x, y: TOP - 14, class: "code"}, written));
    used.forEach((name, i) => {
      const across = x + (i - (used.length - 1) / 2) * 116;
      parts.push(box(across, BELOW, name, data.parameters[name], "fixed"));
    });
    if (used.length) parts.push(make("path", {class: "arrow", "stroke-dasharray": "3 3", d: `M${x} ${BELOW - 84}V${TOP + 8}`}));
  });
  one("#flow").replaceChildren(make("svg", {width: "100%", viewBox: `0 0 ${width} 342`}, ...parts));
  const sum = (all) => Object.values(all).reduce((total, facts) => total + facts.bytes, 0);
  one("#size").textContent = data.batches[slider.value];
  one("#sums").textContent = `parameters: ${bytes(sum(data.parameters))} · what flows: ${bytes(sum(run))}`;
}

slider.max = data.batches.length - 1;
slider.addEventListener("input", draw);
draw();
