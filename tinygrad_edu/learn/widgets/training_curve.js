const steps = [...new Set(Object.values(data.numbers).flat().map(([step]) => step))].sort((a, b) => a - b);
const groups = new Map(); // names with the same last word share a chart
for (const name of Object.keys(data.numbers)) {
  const word = name.split(/[ _./]/).at(-1);
  groups.set(word, [...(groups.get(word) ?? []), name]);
}
let logarithmic = false;

function draw(upto) {
  one("#charts").replaceChildren(...[...groups].map(([word, names]) => {
    const lines = Object.fromEntries(names.map((name) => [name, { points: data.numbers[name] }]));
    const rows = names.map((name, i) => {
      const value = data.numbers[name].filter(([step]) => step <= upto).at(-1)?.[1];
      return make("tr", { "data-name": name }, make("th", { scope: "row" }, sample(i), name.replaceAll("_", " ")),
        make("td", {}, value === undefined ? "–" : number(value)));
    });
    return make("div", {}, chart({ title: word, across: data.unit, lines, upto, logarithmic: logarithmic && word === "loss" }), make("table", {}, ...rows));
  }));
}

const show = player(steps, draw);
one("#log").addEventListener("click", (event) => {
  logarithmic = !logarithmic;
  event.target.setAttribute("aria-pressed", logarithmic);
  show();
});
