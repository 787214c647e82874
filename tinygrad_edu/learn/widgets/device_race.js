const IMAGINED = "an imagined device";

// Seconds that starting one operation takes, from 0.1 µs to 1 ms; how many times as fast the arithmetic is, from 1 to 1000.
const start = () => 1e-7 * 10 ** (one("#start").value / 20);
const times = () => 10 ** (one("#times").value / 10);
const imagined = (batch) => data.operations * start() + (data.sample / times()) * batch;

// The batch size from which the imagined device is ahead of the line through the CPU's measurements.
function overtakes() {
  const behind = data.operations * start() - data.overhead, gains = data.sample * (1 - 1 / times());
  if (behind <= 0) return 0;
  return gains > 0 ? behind / gains : Infinity;
}

function time(seconds) {
  return seconds < 1e-3 ? `${number(seconds * 1e6, 3)} µs` : `${number(seconds * 1e3, 3)} ms`;
}

function draw() {
  const batch = data.sizes[one("#batch").value];
  one("#batch-text").textContent = batch;
  one("#start-text").textContent = time(start());
  one("#times-text").textContent = `${number(times(), 2)} times as fast`;
  const all = { ...data.measured, [IMAGINED]: data.sizes.map((n) => [n, imagined(n)]) };
  const lines = {}, rows = [make("tr", {}, make("th", {}, `batch of ${batch}`), make("td", {}, "a step"), make("td", {}, "batches a second"), make("td", {}, "samples a second"))];
  Object.entries(all).forEach(([name, points], i) => {
    lines[name] = { points: points.map(([n, seconds]) => [Math.log2(n), n / seconds]) };
    const seconds = points.find(([n]) => n === batch)?.[1];
    rows.push(make("tr", { "data-name": name }, make("th", { scope: "row" }, sample(i), name),
      make("td", {}, seconds ? time(seconds) : "–"), ...[1, batch].map((n) => make("td", {}, seconds ? number(n / seconds, 3) : "–"))));
  });
  one("#chart").replaceChildren(chart({ title: "samples a second", across: "batch size", lines, named: (power) => 2 ** power, upto: Math.log2(data.sizes.at(-1)), logarithmic: true }));
  one("#table").replaceChildren(...rows);
  const from = overtakes(), most = data.sizes.at(-1);
  one("#say").textContent = from === 0 ? "The imagined device is ahead at every batch size."
    : from > most ? `The imagined device is behind at every batch size up to ${most}.`
    : `The imagined device is ahead from a batch of about ${number(Math.ceil(from), 2)}.`;
}

one("#batch").max = data.sizes.length - 1;
one("#batch").value = Math.floor(data.sizes.length / 2);
for (const slider of ["#batch", "#start", "#times"]) one(slider).addEventListener("input", draw);
draw();
