// Let the network write: one character after the other, drawn as likely as it says.
const { context } = network.facts, { classes } = network;
const numberOf = new Map(classes.map((character, number) => [character, number]));
const fixed = network.layers.some(({ kind }) => kind === "flatten"); // it takes stretches of one length only

make("p", { textContent: "Give a beginning, and let the network go on." });
const beginning = make("input", { id: "beginning", value: "", size: 30 }, make("label", { textContent: "Beginning " }));
const heat = make("label", { textContent: "Temperature " });
const temperature = make("input", { id: "temperature", type: "range", min: 0.1, max: 1.5, step: 0.1, value: 0.8 }, heat);
const degree = make("output", { textContent: "0.8" }, heat);
const again = make("button", { textContent: "Write", id: "write" });
const stop = make("button", { textContent: "Stop", id: "stop" });
const likely = make("p", { id: "likely", className: "quiet" });
const written = make("pre", { id: "written", ariaLive: "off" });

let running = 0;

function scoresAfter(text) {
  let indices = Array.from(text, (character) => numberOf.get(character)).filter((i) => i !== undefined).slice(-context);
  if (fixed || !indices.length) indices = [...Array((fixed ? context : 1) - indices.length).fill(numberOf.get("\n")), ...indices];
  return run(indices, [indices.length]);
}

function draw(scores) {
  const heatNow = Number(temperature.value);
  let left = Math.random();
  const shares = softmax(scores.map((s) => s / heatNow));
  return shares.findIndex((share) => (left -= share) < 0);
}

function ahead() {
  const shares = softmax(scoresAfter("\n" + beginning.value));
  const order = shares.map((_, i) => i).sort((a, b) => shares[b] - shares[a]).slice(0, 6);
  likely.textContent = "What it thinks comes next: " + order.map((i) => `${JSON.stringify(classes[i])} ${(100 * shares[i]).toFixed(1)}%`).join("   ");
}

function write() {
  const mine = ++running;
  let text = "\n" + beginning.value;
  const step = () => {
    if (mine !== running || text.length > 600) return;
    for (let i = 0; i < 4; i++) {
      const drawn = draw(scoresAfter(text));
      text += classes[drawn < 0 ? classes.length - 1 : drawn];
    }
    written.textContent = text.slice(1);
    setTimeout(step, 0);
  };
  step();
}

again.addEventListener("click", write);
stop.addEventListener("click", () => { running++; });
beginning.addEventListener("input", ahead);
temperature.addEventListener("input", () => { degree.textContent = Number(temperature.value).toFixed(1); });
document.body.dataset.deviation = Math.max(...network.examples.map(({ x, scores }) =>
  Math.max(...run(x, [x.length]).map((s, i) => Math.abs(s - scores[i])))));
ahead();
write();
