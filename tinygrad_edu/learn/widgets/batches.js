const state = { shuffle: true, size: 8, drop: false, epoch: 0, batch: 0 };
const total = data.labels.length;
const inOrder = data.labels.map((_, i) => i);

const nameOf = (i) => data.classes[data.labels[i]];

function sample(i, ...further) {
  return make("span", { class: ["sample", nameOf(i), ...further].join(" "), title: `sample ${i}: ${nameOf(i)}`, "data-index": i }, String(i));
}

// Slice the order of this epoch into batches.
function dealt() {
  const order = state.shuffle ? data.orders[state.epoch] : inOrder;
  const found = [];
  for (let start = 0; start < total; start += state.size) found.push(order.slice(start, start + state.size));
  return found;
}

function counts(batch) {
  return data.classes.map((name, c) => batch.filter((i) => data.labels[i] === c).length);
}

// How far a batch's shares of the classes are from those of all data, from 0 (the same) to 1.
function lopsided(batch) {
  const all = counts(inOrder);
  return counts(batch).reduce((sum, n, c) => sum + Math.abs(n / batch.length - all[c] / total), 0) / 2;
}

function draw() {
  const batches = dealt();
  const short = batches[batches.length - 1].length < state.size;
  const used = state.drop && short ? batches.slice(0, -1) : batches;
  state.batch = Math.max(0, Math.min(state.batch, used.length - 1));
  const current = used[state.batch] ?? [];
  const left = state.drop && short ? batches[batches.length - 1] : [];
  one("#file").replaceChildren(...inOrder.map((i) => sample(i, current.includes(i) ? "chosen" : "", left.includes(i) ? "out" : "")));
  one("#batches").replaceChildren(...batches.map((batch, k) => {
    const gone = k >= used.length;
    const shares = counts(batch).map((n, c) => make("i", { class: data.classes[c], style: `width:${(100 * n) / batch.length}%` }));
    return make("div", {
      class: gone ? "batch dropped" : "batch", role: "listitem", "aria-current": k === state.batch && !gone ? "true" : "false",
      "aria-label": `batch ${k}: ${batch.join(", ")}${gone ? ", dropped" : ""}`,
      click: () => { if (!gone) { state.batch = k; draw(); } },
    }, make("div", { class: "strip" }, ...batch.map((i) => sample(i))), make("div", { class: "shares" }, ...shares));
  }));
  one("#where").textContent = current.length ? `batch ${state.batch}: X[[${current.join(", ")}]]` : "no batch: all are too short";
  const mean = used.length ? used.reduce((sum, batch) => sum + lopsided(batch), 0) / used.length : 0;
  const last = batches[batches.length - 1].length;
  const steps = `${used.length} ${used.length === 1 ? "batch" : "batches"}, so ${used.length} ${used.length === 1 ? "step" : "steps"} an epoch`;
  const end = !short ? "all of the same size" : state.drop ? `${last} samples left out in this epoch` : `the last one has ${last}`;
  one("#summary").textContent = `${steps}; ${end}. On average ${Math.round(100 * mean)}% of a batch would have to change its class to be mixed like the data.`;
  one("#size-text").textContent = state.size;
  one("#shuffle").checked = state.shuffle;
  one("#drop").checked = state.drop;
  one("#size").value = state.size;
  one("#epoch").disabled = !state.shuffle;
}

data.orders.forEach((_, k) => one("#epoch").append(make("option", { value: k }, String(k + 1))));
one("#shuffle").addEventListener("change", (event) => { state.shuffle = event.target.checked; draw(); });
one("#drop").addEventListener("change", (event) => { state.drop = event.target.checked; draw(); });
one("#size").addEventListener("input", (event) => { state.size = Number(event.target.value); draw(); });
one("#epoch").addEventListener("change", (event) => { state.epoch = Number(event.target.value); state.batch = 0; draw(); });
one("#back").addEventListener("click", () => { state.batch -= 1; draw(); });
one("#next").addEventListener("click", () => { state.batch += 1; draw(); });
draw();
