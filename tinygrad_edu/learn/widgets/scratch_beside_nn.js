const names = ["scratch", "nn"], steps = data.numbers["nn loss"].map(([step]) => step);
let apart = false;

const at = (name, step) => data.numbers[name].find(([s]) => s === step)?.[1];

function draw(upto) {
  const charts = data.shown.map((what) => chart({
    title: what, across: data.unit, upto, logarithmic: what === "loss",
    lines: {
      scratch: { points: data.numbers[`scratch ${what}`], extra: "under" },
      nn: { points: data.numbers[`nn ${what}`], shift: apart ? 14 : 0 },
    },
  }));
  charts.push(chart({
    title: "largest difference between two weights", across: data.unit, upto, logarithmic: true, marks: [data.limit],
    lines: { difference: { points: data.numbers.difference } },
  }));
  one("#charts").replaceChildren(...charts.map((svg) => make("div", {}, svg)));
  one("#table").replaceChildren(
    make("tr", {}, make("th", {}), ...data.shown.map((what) => make("th", { scope: "col" }, what))),
    ...names.map((name, i) => make("tr", { "data-name": name }, make("th", { scope: "row" }, sample(i), data.titles[i]),
      ...data.shown.map((what) => make("td", {}, number(at(`${name} ${what}`, upto), 8))))));
  one("#difference").textContent = `No two weights differ by more than ${number(at("difference", upto), 2)}.`;
}

data.codes.forEach((code, i) => one("#codes").append(
  make("figure", {}, make("figcaption", {}, sample(i), data.titles[i]), make("pre", { class: "code", tabindex: 0 }, code))));
const show = player(steps, draw);
one("#apart").addEventListener("click", (event) => {
  apart = !apart;
  event.target.setAttribute("aria-pressed", apart);
  show();
});
