// The panel beside the graph: one step in words and numbers.

const link = (box) => el("button", { class: "link", onclick: () => visit(box) }, boxes[box].title);
const section = (title, ...children) => el("section", {}, el("h3", {}, ...[title].flat()), ...children);

function panelOf(now) {
  if (now.phase === "start") return given();
  if (now.phase === "end") return over();
  const id = seen(now.box);
  if (id[0] === "f") return folding(now, drawing.all.get(id));
  return now.phase === "go" ? computed(now) : walked(now);
}

function heading(now, title) {
  const total = now.phase === "go" ? forward.length : back.length;
  const box = boxes[now.box];
  const head = [el("span", { class: "phase" }, `${now.phase === "go" ? "forward" : "walk back"} · ${now.n} of ${total}`), el("h2", {}, title)];
  const around = chains[now.box].map(frameTitle).join(" › ");
  if (around && single(now)) head.push(el("p", { class: "where" }, `in ${around}`));
  if (box.line && single(now)) head.push(el("p", { class: "where" }, `${box.line} `, el("code", {}, box.code)));
  return head;
}
const single = (now) => seen(now.box)[0] !== "f";

function given() {
  const leaves = boxes.map((_, i) => i).filter((i) => !goAt.has(i));
  return [el("span", { class: "phase" }, "before"), el("h2", {}, data.title),
    el("p", {}, "What is given. Step forward to compute; then the gradient walks back the same way."),
    ...listed(leaves, (i) => section(link(i), shown(contentOf(i)))),
    section("How to read it", el("p", { class: "where" },
      "Keys: → and ← step, space plays, Home and End jump, + and − unfold and fold modules, 0 shows the whole graph, or follows the steps again. ",
      "Square corners: given; round: computed; dashed: a constant. Of many numbers each is a square as large as its size, full if positive, hollow if negative."))];
}

function over() {
  const leaves = back.filter((step) => !goAt.has(step.box)).map((step) => step.box);
  return [el("span", { class: "phase" }, "done"), el("h2", {}, "All gradients"),
    el("p", {}, `What has arrived in each leaf: how ${data.title} changes when the leaf does.`),
    ...listed(leaves, (i) => section(link(i), el("div", { class: "filled" }, shown(contents[steps[backAt.get(i)].grad ?? steps[backAt.get(i)].came[0].gradient]))))];
}

function listed(which, draw, most = 60) {
  const rest = which.length > most ? [el("p", { class: "where" }, `and ${which.length - most} more`)] : [];
  return [...which.slice(0, most).map(draw), ...rest];
}

function computed(now) {
  const box = boxes[now.box];
  const call = `${box.title}(${[...box.inputs.map(([, name]) => name), ...box.options].join(", ")})`;
  const results = box.values.length ? box.values : [["", undefined]];
  return [
    ...heading(now, box.name ? `${box.title} → ${box.name}` : box.title),
    el("p", {}, el("code", {}, call)),
    ...box.inputs.map(([source, name, result]) => section([`${name} = `, link(source)], shown(contentOf(source, result)))),
    ...results.map(([name, c]) => section(name ? `gives ${name}` : "gives", shown(contents[c]))),
  ];
}

function walked(now) {
  const box = boxes[now.box];
  const from = [...heading(now, box.title), ...now.came.map((each) => arrival(now, each))];
  if (now.hooked) from.push(el("p", { class: "where" }, "A hook has seen this gradient, and may have changed it."));
  if (!goAt.has(now.box)) return [...from, kept(now)];
  return [...from, ...now.passed.map((each) => departure(now, each))];
}

// The gradient that came, as the sum that it is where several met.
function arrival(now, { name, gradient }) {
  const parts = now.arrived.filter((each) => each.name === name);
  const title = name ? `The gradient g of ${name}` : "The gradient g that came";
  if (parts.length < 2) {
    const from = parts[0]?.box ?? null;
    return section(from === null ? `${title}: the walk begins` : [`${title}, from `, link(from)], shown(contents[gradient]));
  }
  const sum = el("div", { class: "sum" });
  parts.forEach((each, i) => {
    const from = el("span", { class: "from" }, ...(each.box === null ? ["the walk begins"] : ["from ", link(each.box)]));
    sum.append(i ? el("span", { class: "sign" }, "+") : "", el("span", {}, shown(contents[each.gradient], false), from));
  });
  const total = el("span", {}, shown(contents[gradient], false), el("span", { class: "from" }, typeText(contents[gradient])));
  sum.append(el("span", { class: "sign" }, "="), total);
  return section(`${title}: ${parts.length} gradients meet and are added`, sum);
}

function departure(now, { box: to, name, gradient }) {
  const box = boxes[now.box], argument = name.replace(/\[\d+\]$/, "");
  const [, rule] = box.rules.find(([names]) => names.split(", ").includes(argument)) ?? box.rules[0] ?? ["", ""];
  return section([`to ${name}, `, link(to)], el("span", { class: "rule" }, `∂${name}: ${rule}`), values(now, rule), shown(contents[gradient]));
}

// The numbers behind the names of a rule, where they are single numbers; the shapes of the others.
function values(now, rule) {
  const known = new Map(boxes[now.box].inputs.map(([source, name, result]) => [name, contentOf(source, result)]));
  known.set("out", contentOf(now.box));
  if (now.came.length === 1) known.set("g", contents[now.came[0].gradient]);
  if (/^\w+$/.test(rule)) return null;
  const texts = [...known].filter(([name, c]) => c && new RegExp(`(?<![\\w.])${name.replace(/\W/g, "\\$&")}(?!\\w)`).test(rule))
    .map(([name, c]) => `${name} ${c.numbers?.length === 1 ? `= ${written(c.numbers[0])}` : shapeText(c.shape)}`);
  return texts.length ? el("p", { class: "with" }, `with ${texts.reverse().join(", ")}`) : null;
}

function kept(now) {
  const grad = now.grad ?? now.came[0].gradient;
  const before = grad !== now.came[0].gradient ? el("p", { class: "where" }, "added to what was there before") : null;
  return section(`${boxes[now.box].title}.grad is now`, el("div", { class: "filled" }, shown(contents[grad])), before);
}

// A folded module: what happened inside, in order.
function folding(now, face) {
  const last = stops[Math.max(0, stops.indexOf(at) - 1)];
  const inside = steps.slice(last + 1, at + 1).map((step) => step.box);
  const open = el("button", { onclick: () => fold([face.frame], false) }, "unfold");
  const head = [...heading(now, face.title), el("p", {}, open)];
  const order = section(now.phase === "go" ? "computed inside, in this order" : "walked inside, in this order", el("p", {}, inside.map((i) => boxes[i].title).join(" → ")));
  if (now.phase === "go") return [...head, order, section("gives", shown(contentOf(now.box)))];
  const first = steps[backAt.get(inside[0])];
  const leaves = inside.filter((i) => !goAt.has(i));
  const out = inside.flatMap((i) => steps[backAt.get(i)].passed.filter((p) => seen(p.box) !== face.id));
  if (leaves.length === inside.length) return [...head, ...leaves.map((i) => kept(steps[backAt.get(i)]))];
  return [...head, ...first.came.map((each) => arrival(first, each)), order,
    ...out.map((p) => section(["goes on to ", link(p.box)], shown(contents[p.gradient])))];
}
