const state = { layer: Object.keys(data)[0], lines: 0 };

function cell(value, whole) {
  const text = whole ? String(value) : value.toFixed(2);
  return make("td", { class: value > 0 ? "plus" : value < 0 ? "minus" : "", title: number(value) }, text.replace("-", "−"));
}

// A tensor: its name and shape, and its numbers as matrices.
function tensor({ name, shape, blocks }) {
  const caption = make("figcaption", {}, make("b", {}, name), shape.length ? ` (${shape.join(", ")}${shape.length === 1 ? "," : ""})` : " a single number");
  const whole = blocks.flat(2).every(Number.isInteger);
  const tables = blocks.map((rows) => make("table", {}, ...rows.map((row) => make("tr", {}, ...row.map((value) => cell(value, whole))))));
  return make("figure", { class: "tensor", "data-name": name }, caption, make("div", { class: "blocks" }, ...tables));
}

function draw() {
  const layer = data[state.layer], all = layer.lines.length, open = state.lines > 0, done = state.lines === all;
  for (const button of one("#layers").children) button.setAttribute("aria-pressed", String(button.textContent === state.layer));
  one("#call").textContent = layer.text;
  const arrow = () => make("span", { "aria-hidden": "true" }, "→");
  one("#outside").replaceChildren(...layer.inputs.map(tensor), arrow(),
    make("div", { class: "layer" }, make("div", { class: "code" }, state.layer), ...layer.parameters.map(tensor)), arrow(), tensor(layer.output));
  one("#open").textContent = open ? "Close the layer" : "Open the layer";
  one("#open").setAttribute("aria-expanded", String(open));
  one("#more").hidden = done;
  one("#lines").replaceChildren(...layer.lines.slice(0, state.lines).map(({ code, why, result }) =>
    make("li", {}, make("span", { class: "code" }, code), make("p", { class: "quiet" }, why), tensor(result))));
  const gap = layer.gap === 0 ? "exactly the same numbers as the layer's" : `the layer's numbers, to ${number(layer.gap, 1)}`;
  one("#verdict").replaceChildren(...(done ? [make("b", {}, "✓ "), `By hand: ${gap}.`] : []));
}

for (const name of Object.keys(data)) one("#layers").append(make("button", { click: () => { Object.assign(state, { layer: name, lines: 0 }); draw(); } }, name));
one("#open").addEventListener("click", () => { state.lines = state.lines ? 0 : data[state.layer].lines.length; draw(); });
one("#more").addEventListener("click", () => { state.lines += 1; draw(); });
draw();
