// The text, and the map of one head: row t is what character t looks at.
const T = data.characters.length, CELL = Math.max(4, Math.min(9, Math.floor(400 / T)));
const slider = one("#place"), block = one("#block"), head = one("#head");

const shown = (character) => ({" ": "␣", "\n": "⏎"})[character] ?? character;
const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)}%`;
const shade = (p) => Math.sqrt(Math.min(1, p)); // small weights can be seen
const weights = () => data.weights[block.value][head.value];

function table(caption, lines) {
  const rows = lines.map(([name, p]) => make("tr", {}, make("td", {class: "code"}, name), make("td", {}, percent(p)),
    make("td", {}, make("span", {class: "bar", style: `width:${Math.round(110 * p)}px`}))));
  return [make("tr", {}, make("th", {colspan: 3}, caption)), ...rows];
}

function draw() {
  const t = Number(slider.value), row = weights()[t];
  one("#text").replaceChildren(...data.characters.flatMap((character, i) => {
    const kind = i === t ? "here" : i > t ? "later" : "";
    const share = i <= t ? Math.round(75 * shade(row[i])) : 0;
    const style = `background: color-mix(in srgb, var(--blue) ${share}%, transparent)`;
    const span = make("span", {class: kind, style, "data-place": i}, shown(character));
    return character === "\n" ? [span, document.createElement("br")] : [span];
  }));
  const order = row.map((p, i) => [p, i]).sort((a, b) => b[0] - a[0]).slice(0, 6);
  const name = (i) => (i === t ? `${shown(data.characters[i])} itself` : `${shown(data.characters[i])} ${t - i} before`);
  one("#looks").replaceChildren(...table(`“${shown(data.characters[t])}” looks at`, order.map(([p, i]) => [name(i), p])));
  const next = data.following[t] ?? [];
  one("#next").replaceChildren(...(next.length ? table("and expects next", next.map(([c, p]) => [shown(c), p])) : []));
  one("#say").textContent = `Block ${Number(block.value) + 1}, head ${Number(head.value) + 1}, character ${t + 1} of ${T}: ` +
    `the largest weight, ${percent(order[0][0])}, is on ${name(order[0][1])}.`;
  const frame = one("#map .frame");
  frame.setAttribute("y", t * CELL);
}

function paint() {
  const cells = weights().flatMap((row, t) => row.map((p, i) =>
    make("rect", {class: "weight", x: i * CELL, y: t * CELL, width: CELL, height: CELL, "fill-opacity": shade(p).toFixed(4)})));
  const corner = data.characters.map((_, t) =>
    make("rect", {class: "mask", x: (t + 1) * CELL, y: t * CELL, width: (T - 1 - t) * CELL, height: CELL}));
  const side = T * CELL;
  one("#map").replaceChildren(make("svg", {width: side + 4, height: side + 4, viewBox: `-2 -2 ${side + 4} ${side + 4}`},
    make("title", {}, "rows look at columns"), ...corner, ...cells,
    make("rect", {class: "frame", x: -1, y: 0, width: side + 2, height: CELL})));
  draw();
}

function go(t) {
  if (t < 0 || t >= T || Number(slider.value) === t) return;
  slider.value = t;
  draw();
}

const choices = (count) => [...Array(count).keys()].map((k) => make("option", {value: k}, k + 1));
block.append(...choices(data.weights.length));
head.append(...choices(data.weights[0].length));
slider.max = T - 1;
slider.value = Math.floor(0.7 * T);
for (const select of [block, head]) select.addEventListener("change", paint);
slider.addEventListener("input", draw);
one("#text").addEventListener("pointerover", (event) => {
  if (event.target.dataset.place) go(Number(event.target.dataset.place));
});
one("#map").addEventListener("pointermove", (event) => {
  const box = one("#map svg").getBoundingClientRect();
  go(Math.floor((event.clientY - box.top - 2) / CELL));
});
paint();
