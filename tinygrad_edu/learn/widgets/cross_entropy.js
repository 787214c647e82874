// One row for each class; the loss curve below is that of the right class's probability.
const LIMIT = 8;  // of the scores, both ways
const WIDTH = 300, HEIGHT = 130, LEFT = 26, TOP = 8, HIGHEST = 6;  // of the curve
const situation = Object.values(data.situations)[0];
let scores = [...situation.scores], right = situation.right;

// The stable form: the largest score is subtracted first, so that no exp overflows.
function answers() {
  const largest = Math.max(...scores);
  const shares = scores.map((score) => Math.exp(score - largest));
  const sum = shares.reduce((a, b) => a + b);
  const probabilities = shares.map((share) => share / sum);
  const gradient = probabilities.map((p, k) => p - (k === right ? 1 : 0));
  return {probabilities, gradient, loss: Math.log(sum) - (scores[right] - largest)};
}

function bar(left, width, kind = "") {
  return make("div", {class: `bar ${kind}`, style: `left:${100 * left}%;width:${100 * width}%`});
}

function show({probabilities, gradient, loss}) {
  [...one("#rows").children].forEach((row, k) => {
    const [, , score, probability, share, slope, change] = row.children;
    row.className = k === right ? "right" : "";
    row.querySelector("[type=radio]").checked = k === right;
    row.querySelector("[type=range]").value = scores[k];
    score.textContent = number(scores[k]);
    probability.firstChild.replaceChildren(bar(0, probabilities[k]));
    share.textContent = probabilities[k].toFixed(4);
    const g = gradient[k];
    slope.firstChild.replaceChildren(make("div", {class: "zero"}), bar(0.5 + Math.min(g, 0) / 2, Math.abs(g) / 2, g < 0 ? "minus" : "plus"));
    change.textContent = (g < 0 ? "−" : "+") + Math.abs(g).toFixed(4);
  });
  const p = probabilities[right];
  one("#share").textContent = p < 1e-4 ? number(p, 3) : p.toFixed(4);
  one("#loss").textContent = loss.toFixed(4);
  one("#saying").textContent =
    p > 0.99 ? "Almost nothing left to learn here: every gradient is close to zero."
    : p < 0.01 ? "Sure and wrong: the gradient is as strong as it can be, −1 for the right class."
    : `Going down the gradient raises the score of “${data.classes[right]}” and lowers the others, each by its own probability.`;
  drawCurve(p, loss);
}

function drawCurve(p, loss) {
  const x = (share) => LEFT + share * (WIDTH - LEFT - 8);
  const y = (value) => TOP + (1 - Math.min(value, HIGHEST) / HIGHEST) * (HEIGHT - TOP - 20);
  const points = Array.from({length: 200}, (_, k) => (k + 0.5) / 200).map((s) => `${x(s)},${y(-Math.log(s))}`);
  one("#curve").replaceChildren(make("svg", {width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`},
    make("path", {class: "axis", fill: "none", d: `M${x(0)} ${TOP}V${y(0)}H${x(1)}`}),
    make("polyline", {class: "line", points: points.join(" ")}),
    make("circle", {cx: x(p), cy: y(loss), r: 6}),
    make("text", {x: x(0.5), y: HEIGHT - 5, "text-anchor": "middle"}, "probability of the right class"),
    make("text", {x: x(0) - 4, y: y(0), "text-anchor": "end"}, "0"),
    make("text", {x: x(0) - 4, y: y(HIGHEST) + 8, "text-anchor": "end"}, String(HIGHEST)),
    make("text", {x: x(0) + 6, y: TOP + 8}, "loss")));
}

function row(name, k) {
  const slide = (event) => { scores[k] = Number(event.target.value); show(answers()); };
  const pick = () => { right = k; show(answers()); };
  return make("tr", {},
    make("td", {}, make("label", {}, make("input", {type: "radio", name: "right", change: pick}), ` ${name}`)),
    make("td", {class: "picture"}, make("input",
      {type: "range", min: -LIMIT, max: LIMIT, step: 0.1, input: slide, "aria-label": `score of ${name}`})),
    make("td", {class: "value"}),
    make("td", {class: "picture probability"}, make("div", {class: "track"})),
    make("td", {class: "value"}),
    make("td", {class: "picture gradient"}, make("div", {class: "track"})),
    make("td", {class: "value"}));
}

one("#rows").append(...data.classes.map(row));
one("#situations").append(...Object.entries(data.situations).map(([name, known]) => make("button", {click: () => {
  [scores, right] = [[...known.scores], known.right];
  show(known);
}}, name)));
show(situation);
