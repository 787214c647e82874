// The models run here as the engine runs them; `scores(numbers)` takes the letters so far and scores the next one.
const tensor = ({shape, numbers}) =>
  ({shape, values: new Float32Array(Uint8Array.from(atob(numbers), (c) => c.charCodeAt(0)).buffer)});
const row = ({shape, values}, i) => values.subarray(i * shape[1], (i + 1) * shape[1]);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

function affine(layer) {
  const weight = tensor(layer.weight), bias = tensor(layer.bias);
  return (x) => [...bias.values].map((b, i) => b + dot(row(weight, i), x));
}

const KINDS = {
  table(model) {
    const table = tensor(model.scores);
    return (numbers) => [...row(table, numbers.at(-1) ?? 0)];
  },
  window(model) {
    const embedding = tensor(model.embedding), hidden = affine(model.hidden), scores = affine(model.scores);
    return (numbers) => {
      const last = [...Array(model.context).fill(0), ...numbers].slice(-model.context);
      return scores(hidden(last.flatMap((k) => [...row(embedding, k)])).map(Math.tanh));
    };
  },
  lstm(model) {
    const embedding = tensor(model.embedding), size = model.size;
    const fromInput = affine(model.input), fromState = affine(model.state), scores = affine(model.scores);
    return (numbers) => {
      let state = Array(size).fill(0), memory = Array(size).fill(0);
      for (const k of [0, ...numbers]) {
        const a = fromInput(row(embedding, k)), b = fromState(state);
        const gate = (part, f) => memory.map((_, i) => f(a[part * size + i] + b[part * size + i]));
        const [input, forget, news, output] = [gate(0, sigmoid), gate(1, sigmoid), gate(2, Math.tanh), gate(3, sigmoid)];
        memory = memory.map((m, i) => forget[i] * m + input[i] * news[i]);
        state = memory.map((m, i) => output[i] * Math.tanh(m));
      }
      return scores(state);
    };
  },
};

const LONGEST = 30;
const models = Object.fromEntries(Object.entries(data.models).map(([name, model]) => [name, KINDS[model.kind](model)]));
const field = one("#beginning"), heat = one("#heat");
let chosen = Object.keys(models).at(-1);

function probabilities(numbers) {
  const scores = models[chosen](numbers).map((s) => s / Number(heat.value)), top = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - top)), sum = powers.reduce((a, b) => a + b);
  return powers.map((p) => p / sum);
}

const encoded = (text) => [...text].map((c) => data.letters.indexOf(c));

function draw() {
  field.value = [...field.value.toLowerCase()].filter((c) => data.letters.indexOf(c) > 0).join("").slice(0, LONGEST);
  const shares = probabilities(encoded(field.value)), top = Math.max(...shares);
  one("#degree").textContent = Number(heat.value).toFixed(1);
  one("#bars").replaceChildren(...shares.map((p, k) => make("button",
    {"data-p": p.toFixed(5), "aria-label": `${k ? data.letters[k] : "end"}, ${(100 * p).toFixed(1)}%`, click: () => add(k)},
    make("span", {class: "share"}, p >= 0.02 ? `${Math.round(100 * p)}` : ""),
    make("span", {class: "bar", style: `height:${(130 * p / top).toFixed(1)}px`}),
    make("span", {class: "code"}, data.letters[k]))));
  const best = shares.map((p, k) => [p, k]).sort((a, b) => b[0] - a[0]).slice(0, 3);
  const told = best.map(([p, k]) => `${k ? data.letters[k] : "the end"} ${(100 * p).toFixed(1)}%`).join(", ");
  one("#say").textContent = `After “${field.value}”: ${told}. The numbers above the bars are percents.`;
  for (const button of document.querySelectorAll("#models button"))
    button.setAttribute("aria-pressed", button.textContent === chosen);
}

function add(k) {
  if (k === 0) write([field.value]);
  else field.value += data.letters[k];
  draw();
}

function write(names) {
  one("#written").prepend(...names.map((name) => make("li", {}, name || "(nothing)")));
  while (one("#written").children.length > 40) one("#written").lastChild.remove();
}

function invent() {
  const numbers = encoded(field.value);
  while (numbers.length < LONGEST) {
    let rest = Math.random();
    const k = probabilities(numbers).findIndex((p) => (rest -= p) < 0);
    if (k <= 0) break;
    numbers.push(k);
  }
  return numbers.map((k) => data.letters[k]).join("");
}

one("#models").append(...Object.keys(models).map((name) => make("button", {click: () => { chosen = name; draw(); }}, name)));
field.addEventListener("input", draw);
heat.addEventListener("input", draw);
one("#clear").addEventListener("click", () => { field.value = ""; draw(); });
one("#write").addEventListener("click", () => write(Array.from({length: 10}, invent)));
draw();
