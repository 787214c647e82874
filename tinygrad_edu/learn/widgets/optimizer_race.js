const state = { field: Object.keys(data.fields)[0], rate: data.rates.indexOf(0.05), step: data.steps };
const racers = Object.keys(data.shapes);
let clock = null;

function marker(shape, x, y, r) {
  if (shape === "square") return make("rect", { class: "marker", x: x - r, y: y - r, width: 2 * r, height: 2 * r });
  const corners = [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]].map(([a, b]) => `${x + a * r},${y + b * r}`).join(" ");
  return shape === "circle" ? make("circle", { class: "marker", cx: x, cy: y, r }) : make("polygon", { class: "marker", points: corners });
}

// The map: the engine's heights, in bands between contour lines.
function shade() {
  const { levels } = data.fields[state.field], n = data.fine, canvas = one("#shade"), context = canvas.getContext("2d");
  const w = canvas.width, image = context.createImageData(w, w);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [low, high, line] = dark ? [[22, 60, 72], [24, 26, 31], [96, 110, 128]] : [[205, 232, 226], [252, 252, 250], [150, 165, 175]];
  const at = (x, y) => parseInt(levels.substr(2 * (y * n + x), 2), 16);
  const field = new Float32Array(w * w);
  for (let j = 0; j < w; j++) for (let i = 0; i < w; i++) {
    const x = i / (w - 1) * (n - 1), y = (1 - j / (w - 1)) * (n - 1);
    const x0 = Math.min(Math.floor(x), n - 2), y0 = Math.min(Math.floor(y), n - 2), a = x - x0, b = y - y0;
    field[j * w + i] = (1 - b) * ((1 - a) * at(x0, y0) + a * at(x0 + 1, y0)) + b * ((1 - a) * at(x0, y0 + 1) + a * at(x0 + 1, y0 + 1));
  }
  const band = (k) => Math.floor(field[k] / 14);
  for (let k = 0; k < w * w; k++) {
    const edge = k % w && k >= w && (band(k) !== band(k - 1) || band(k) !== band(k - w));
    const t = field[k] / 255;
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = edge ? line[c] : low[c] * (1 - t) + high[c] * t;
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function draw() {
  const { size, start, story, runs } = data.fields[state.field];
  const place = ([x, y]) => [(x + size) / (2 * size) * 400, (size - y) / (2 * size) * 400];
  const ways = runs[state.rate], svg = one("#paths"), table = one("#table"), curves = one("#curves");
  svg.replaceChildren(make("title", {}, "the ways of the optimizers from the start, marked by a cross"));
  table.replaceChildren();
  const heights = racers.flatMap((name) => ways[name].map((p) => p[2])).filter((h) => h < 1e6);
  const lowest = 1e-6, top = Math.log10(Math.max(...heights, 1)), bottom = Math.log10(lowest);
  const across = (k) => 34 + k / data.steps * 258;
  const up = (h) => 168 - (Math.log10(Math.min(Math.max(h, lowest), 10 ** top)) - bottom) / (top - bottom) * 156;
  curves.replaceChildren(make("title", {}, "height above the lowest point, step by step"),
    make("line", { class: "axis", x1: 34, y1: 168, x2: 292, y2: 168 }), make("line", { class: "axis", x1: 34, y1: 12, x2: 34, y2: 168 }),
    make("text", { x: 30, y: 171, "text-anchor": "end" }, "1e−6"), make("text", { x: 30, y: up(1) + 4, "text-anchor": "end" }, "1"),
    make("text", { x: 292, y: 184, "text-anchor": "end" }, `step ${data.steps}`), make("text", { x: 40, y: 10 }, "height above the lowest point"));
  for (const name of racers) {
    const way = ways[name], last = Math.min(state.step, way.length - 1), flown = state.step > way.length - 1;
    const [x, y, h] = way[last];
    const here = make("g", { class: name }), there = make("g", { class: name });
    here.append(make("polyline", { points: way.slice(0, last + 1).map((p) => place(p).map((v) => v.toFixed(1)).join(",")).join(" ") }));
    if (!flown) here.append(marker(data.shapes[name], ...place([x, y]), 7));
    there.append(make("polyline", { points: way.slice(0, last + 1).map((p, k) => `${across(k).toFixed(1)},${up(p[2]).toFixed(1)}`).join(" ") }));
    if (!flown) there.append(marker(data.shapes[name], across(last), up(h), 4));
    svg.append(here);
    curves.append(there);
    const sign = make("svg", { width: 16, height: 14, viewBox: "0 0 16 14", style: "display:inline-block;vertical-align:-2px" });
    sign.append(marker(data.shapes[name], 8, 7, 5));
    table.append(make("tr", { class: name, "data-name": name }, make("td", { class: "name" }, sign, " " + name),
      make("td", {}, flown ? "flew away" : number(h, 3)), make("td", {}, flown ? `at step ${way.length - 1}` : `${number(x, 3)}, ${number(y, 3)}`)));
  }
  const [sx, sy] = place(start);
  svg.append(make("line", { class: "cross", x1: sx - 6, y1: sy - 6, x2: sx + 6, y2: sy + 6 }), make("line", { class: "cross", x1: sx - 6, y1: sy + 6, x2: sx + 6, y2: sy - 6 }));
  one("#rate-text").textContent = number(data.rates[state.rate]);
  one("#step-text").textContent = state.step;
  one("#rate").value = state.rate;
  one("#step").value = state.step;
  one("#story").textContent = story;
  one("#play").textContent = clock ? "Pause" : "Play";
}

function stop() {
  clearInterval(clock);
  clock = null;
}

function play() {
  if (clock) stop();
  else if (matchMedia("(prefers-reduced-motion: reduce)").matches) state.step = data.steps;
  else {
    if (state.step === data.steps) state.step = 0;
    clock = setInterval(() => {
      if (++state.step >= data.steps) stop();
      draw();
    }, 70);
  }
  draw();
}

for (const name of Object.keys(data.fields)) one("#field").append(make("option", { value: name }, name));
one("#rate").max = data.rates.length - 1;
one("#step").max = data.steps;
one("#field").addEventListener("change", (event) => { state.field = event.target.value; shade(); draw(); });
one("#rate").addEventListener("input", (event) => { state.rate = Number(event.target.value); draw(); });
one("#step").addEventListener("input", (event) => { stop(); state.step = Number(event.target.value); draw(); });
one("#restart").addEventListener("click", () => { stop(); state.step = 0; draw(); });
one("#play").addEventListener("click", play);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", shade);
shade();
draw();
