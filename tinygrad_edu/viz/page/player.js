// The player: which step it is, what is known at that step, and how it is drawn. All texts go in as text.

const data = JSON.parse(document.getElementById("data").textContent);
const { boxes, frames, contents, forward } = data;
const passed = ([box, name, gradient]) => ({ box, name, gradient });
const back = data.back.map((step) => ({ ...step, ...Object.fromEntries(["came", "arrived", "passed"].map((key) => [key, step[key].map(passed)])) }));
const $ = (id) => document.getElementById(id);
const steps = [
  { phase: "start" },
  ...forward.map((box, i) => ({ phase: "go", box, n: i + 1 })),
  ...back.map((step, i) => ({ phase: "back", n: i + 1, ...step })),
  { phase: "end" },
];
const goAt = new Map(forward.map((box, i) => [box, i + 1]));
const backAt = new Map(back.map((step, i) => [step.box, forward.length + 1 + i]));
const SIZE = { w: 204, h: 72, head: 25 }, MANY_BOXES = 40;

let folded = new Set(); // numbers of frames
let at = 0; // which of the steps
let stops = []; // the steps that can be told apart while frames are folded
let drawing = null;

// --- what is where -----------------------------------------------------------------------------------------------

function chainOf(box) {
  const chain = [];
  for (let f = boxes[box].scope; f !== null; f = frames[f].outer) chain.unshift(f);
  return chain;
}
const chains = boxes.map((_, i) => chainOf(i));

// The box that is seen: its own, or the outermost folded frame around it.
function seen(box) {
  const frame = chains[box].find((f) => folded.has(f));
  return frame === undefined ? `b${box}` : `f${frame}`;
}

function membersOf(frame) {
  return boxes.map((_, i) => i).filter((i) => chains[i].includes(frame));
}

// What is seen as one box, with what it stands for: the operation that comes out of it speaks for a folded frame.
function faces() {
  const found = new Map();
  boxes.forEach((box, i) => {
    const id = seen(i);
    if (!found.has(id)) found.set(id, { id, members: [], speaker: i, frame: id[0] === "f" ? Number(id.slice(1)) : null });
    const face = found.get(id);
    face.members.push(i);
    if (goAt.has(i)) face.speaker = i;
  });
  for (const face of found.values()) {
    face.kind = face.frame === null ? boxes[face.speaker].kind : "folded";
    face.title = face.frame === null ? boxes[face.speaker].title : frameTitle(face.frame);
    face.first = Math.min(...face.members.filter((i) => goAt.has(i)).map((i) => goAt.get(i)));
  }
  return found;
}

const frameTitle = (f) => frames[f].title + (frames[f].kind ? ` · ${frames[f].kind}` : "");
const contentOf = (box, result = "") => {
  const found = boxes[box].values.find(([name]) => name === result) ?? (result === "" ? boxes[box].values[0] : undefined);
  return found && contents[found[1]];
};

function tree(all, outer = null) {
  const here = [...all.values()].filter((face) => {
    const chain = chains[face.members[0]];
    const inner = face.frame === null ? chain.at(-1) : frames[face.frame].outer;
    return (inner ?? null) === outer;
  });
  const members = here.map((face) => ({ id: face.id, w: SIZE.w, h: SIZE.h, order: face.speaker }));
  frames.forEach((frame, f) => {
    const shut = folded.has(f) || frame.outer !== outer;
    const inside = shut ? [] : tree(all, f);
    if (inside.length) members.push({ id: `f${f}`, members: inside, order: Math.max(...inside.map((m) => m.order)) });
  });
  return members;
}

// --- drawing -----------------------------------------------------------------------------------------------------

function redraw() {
  const all = faces(), pairs = new Map();
  boxes.forEach((box, i) => box.inputs.forEach(([source, name]) => {
    const [a, b] = [seen(source), seen(i)];
    if (a !== b) (pairs.get(`${a}>${b}`) ?? pairs.set(`${a}>${b}`, { a, b, uses: [] }).get(`${a}>${b}`)).uses.push([source, i, name]);
  }));
  const plan = layoutOf(tree(all), [...pairs.values()].map(({ a, b }) => [a, b]));
  const world = el("g", { id: "world" });
  const marker = (name) => el("marker", { id: name, viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 11, markerHeight: 11, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
    el("path", { d: "M0 1L9 5L0 9z", class: `head ${name}` }));
  const svg = el("svg", { role: "group", "aria-labelledby": "graph-title graph-desc" },
    el("title", { id: "graph-title" }, `The graph of ${data.title}`),
    el("desc", { id: "graph-desc" }, `${forward.length} operations; the walk back has ${back.length} steps. The text beside the graph says what happens in each step.`),
    el("defs", {}, marker("plain"), marker("go"), marker("come")), world);
  drawing = { all, plan, world, pairs, boxes: new Map(), arrows: new Map() };
  plan.frames.forEach((place, id) => world.append(frameOf(Number(id.slice(1)), place)));
  const headings = [...plan.frames].map(([id, place]) => headingOf(Number(id.slice(1)), place));
  for (const [key, pair] of pairs) {
    const line = el("path", { d: curve(spreadOut(key, pair, plan)) });
    const arrow = el("g", { "data-arrow": key }, line);
    drawing.arrows.set(key, { ...pair, arrow, line });
    world.append(arrow);
  }
  for (const face of all.values()) {
    const node = boxOf(face, plan.boxes.get(face.id));
    drawing.boxes.set(face.id, node);
    world.append(node);
  }
  world.append(...headings);
  drawing.pills = el("g", { "aria-hidden": "true" });
  world.append(drawing.pills);
  $("stage").replaceChildren(svg);
  stops = steps.flatMap((step, i) => (absorbed(i) ? [] : [i]));
  $("scrub").max = stops.length - 1;
  const count = (phase) => stops.filter((i) => steps[i].phase === phase).length;
  $("phases").replaceChildren(
    el("span", { class: "go", style: `flex:${count("go") + 0.5}` }, "forward"),
    el("span", { class: "come", style: `flex:${count("back") + 0.5}` }, "walk back"));
  const foldable = [...new Set(chains.flat())];
  $("modules").hidden = !foldable.length;
  $("fold").disabled = foldable.every((f) => folded.has(f));
  $("unfold").disabled = !folded.size;
  go(stops.find((i) => i >= at) ?? stops.at(-1));
}

// Whether a step shows as a part of the next one, in the same folded frame.
function absorbed(i) {
  const step = steps[i], next = steps[i + 1];
  if (step.box === undefined || next?.box === undefined || step.phase !== next.phase) return false;
  return seen(step.box)[0] === "f" && seen(step.box) === seen(next.box);
}

// Arrows into one box end side by side, in the order in which they come.
function spreadOut(key, { a, b }, plan) {
  const points = plan.paths.get(key).map((p) => [...p]);
  const side = [...drawing.pairs.values()].filter((pair) => pair.b === b)
    .map((pair) => ({ pair, x: plan.paths.get(`${pair.a}>${b}`).at(-2)?.[0] ?? 0 })).sort((p, q) => p.x - q.x);
  const i = side.findIndex(({ pair }) => pair.a === a);
  const step = Math.min(34, (SIZE.w * 0.7) / side.length);
  const end = points.at(-1);
  const straight = points.length > 2 && points.at(-2)[1] >= end[1] - 1e-6 ? points.at(-2) : null;
  for (const p of [end, straight]) if (p) p[0] += (i - (side.length - 1) / 2) * step;
  return points;
}

const isDeep = (f) => chains.find((chain) => chain.includes(f)).indexOf(f) % 2;

function frameOf(f, { x, y, w, h }) {
  return el("g", { class: isDeep(f) ? "frame deep" : "frame", id: `f${f}`, onclick: () => fold([f]) },
    el("title", {}, `${frameTitle(f)}: click to fold`),
    el("rect", { x, y, width: w, height: h, rx: 10 }));
}

function headingOf(f, { x, y, w }) {
  const text = clipped(`▾ ${frameTitle(f)}`, w - 20, 7.2);
  return el("text", { class: isDeep(f) ? "heading deep" : "heading", x: x + 12, y: y + 18, onclick: () => fold([f]) }, text);
}

function boxOf(face, { x, y, w, h }) {
  const box = boxes[face.speaker], own = face.frame === null;
  const round = own ? (box.kind === "operation" ? 12 : 3) : 8;
  const shape = own && box.shapes.length && box.shapes[0].length ? shapeText(box.shapes[0]) : "";
  const title = own ? (box.name && box.kind === "operation" ? `${box.title} → ${box.name}` : box.label) : `▸ ${face.title}`;
  return el("g", { class: `box ${face.kind}`, id: face.id, transform: `translate(${rounded(x)} ${rounded(y)})`,
    onclick: () => (own ? visit(face.speaker) : fold([face.frame], false)),
    onpointerenter: () => ($("hint").textContent = hintOf(face)) },
    el("title", {}, hintOf(face)),
    el("rect", { class: "halo", x: -4, y: -4, width: w + 8, height: h + 8, rx: round + 4 }),
    el("rect", { class: "body", width: w, height: h, rx: round }),
    own ? null : el("rect", { class: "inner", x: 3, y: 3, width: w - 6, height: h - 6, rx: round - 2 }),
    el("text", { class: "title", x: 10, y: 18 }, clipped(title, w - 24 - shape.length * 6, 7.9)),
    el("text", { class: "shape", x: w - 10, y: 17, "text-anchor": "end" }, shape),
    el("g", { class: "cells" }));
}

function clipped(text, width, each) {
  const most = Math.max(3, Math.floor(width / each));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function hintOf(face) {
  if (face.frame !== null) return `${face.title}: ${face.members.length} boxes inside; click to unfold`;
  const box = boxes[face.speaker], c = contentOf(face.speaker);
  const shapes = box.shapes.map(shapeText).join(", ") || "no shape";
  return [box.title, box.kind, `shape ${shapes}`, c?.dtype, box.line, box.code].filter(Boolean).join("  ·  ");
}

// One of the two windows of a box: a number, a word, or a small map.
function cell(x, w, tag, kind, c, word = "") {
  const group = el("g", {}, el("rect", { class: `cell ${kind}`, x, y: SIZE.head, width: w, height: 40, rx: 5 }));
  const middle = { x: x + w / 2, y: SIZE.head + 22 };
  const put = (text, extra = "") => group.append(el("text", { ...middle, class: `word ${extra}` }, text));
  if (tag) group.append(el("text", { class: "tag", x: x + 5, y: SIZE.head + 10 }, tag));
  if (word) put(word, "small");
  else if (c) {
    const few = c.numbers && c.numbers.length <= 3 && c.shape.length < 2 ? c.numbers.map(written).join(", ") : "";
    const bad = c.nan || c.inf || c.numbers?.some(isBad);
    const fits = few && few.length * 8 <= w - 6;
    const map = fits ? null : mapOf(c);
    if (map && c.numbers?.length !== 1) group.append(placed(squares(coarser(map, 6, 16), w - 38, 34, 11), x + 34, SIZE.head + 3));
    else if (few) put(clipped(few, w, 6.8), bad ? "bad" : fits ? "" : "small");
    else put(c.mean === undefined ? (c.shape.includes(0) ? "no numbers" : "…") : clipped(`mean ${written(c.mean)}`, w, 7), "small");
  }
  return group;
}

const placed = (node, x, y) => (node.setAttribute("transform", `translate(${x} ${y})`), node);

// --- one step ----------------------------------------------------------------------------------------------------

// How far the gradient of a box has come at this step: none expected, waiting, partly there, complete.
function gradientOf(box) {
  const when = backAt.get(box);
  if (when === undefined) return { state: "none" };
  const step = steps[when];
  if (at >= when) return { state: "full", content: contents[step.grad ?? step.came[0].gradient] };
  const here = step.arrived.filter((each) => (each.box === null ? at > forward.length : at >= backAt.get(each.box)));
  return here.length ? { state: "part", word: step.arrived.length > 1 ? `${here.length} of ${step.arrived.length} here` : "on its way" } : { state: "empty" };
}

function go(step) {
  at = step;
  const now = steps[at], phase = now.phase === "start" ? "go" : now.phase === "end" ? "back" : now.phase;
  document.body.dataset.phase = phase;
  document.body.dataset.step = at;
  for (const face of drawing.all.values()) paintBox(face, now);
  drawing.pills.replaceChildren();
  for (const arrow of drawing.arrows.values()) paintArrow(arrow, now, phase);
  $("scrub").value = stops.indexOf(at);
  $("scrub").setAttribute("aria-valuetext", sentence(now));
  $("count").textContent = `${stops.indexOf(at)} of ${stops.length - 1}`;
  $("first").disabled = $("back").disabled = at === stops[0];
  $("last").disabled = $("next").disabled = at === stops.at(-1);
  $("title").textContent = `${data.title}: ${forward.length} steps forward, ${back.length} back`;
  $("say").textContent = sentence(now);
  $("panel").replaceChildren(...panelOf(now));
  $("panel").scrollTop = 0;
  look();
}

function paintBox(face, now) {
  const node = drawing.boxes.get(face.id), box = face.speaker;
  const known = !goAt.has(box) || at >= goAt.get(box);
  const started = face.first === Infinity || at >= face.first;
  const g = gradientOf(box), here = now.box !== undefined && seen(now.box) === face.id, walking = at > forward.length;
  if (!changed(node, [known, started, here, walking, g.state, g.word])) return;
  node.classList.toggle("later", !started);
  node.classList.toggle("now", here);
  const split = g.state === "none" ? SIZE.w - 12 : (SIZE.w - 18) / 2;
  const c = contentOf(box) ?? contents[boxes[box].values[0]?.[1]];
  const cells = [cell(6, split, "value", "", known ? c : null, known && !c ? "not kept" : "")];
  if (g.state !== "none") cells.push(cell(12 + split, split, "grad", `g ${g.state}`, g.content, g.word));
  const arrivals = steps[backAt.get(box)]?.arrived.length ?? 0;
  if (face.frame === null && arrivals > 1 && walking) {
    cells.push(el("g", { class: "meet" }, el("title", {}, `${arrivals} gradients meet here and are added`),
      el("circle", { cx: SIZE.w / 2 + 47, cy: SIZE.h, r: 8.5 }), el("text", { x: SIZE.w / 2 + 47, y: SIZE.h + 0.5 }, "+")));
  }
  node.querySelector(".cells").replaceChildren(...cells);
}

// Whether what is drawn of a thing differs from last time: most of a large graph stays as it is from step to step.
const drawnAs = new WeakMap();
function changed(node, state) {
  const before = drawnAs.get(node), now = state.join();
  drawnAs.set(node, now);
  return now !== before;
}

function paintArrow({ a, b, uses, arrow, line }, now, phase) {
  const made = uses.some(([, user]) => at >= goAt.get(user));
  const carried = uses.filter(([source, user]) => backAt.has(source) && at >= (backAt.get(user) ?? Infinity));
  const active = now.box !== undefined && seen(now.box) === b && (phase === "go" ? true : uses.some(([source, user]) => user === now.box && backAt.has(source)) || (b[0] === "f" && carried.length));
  const constant = uses.every(([source]) => !backAt.has(source));
  if (!changed(arrow, [made, carried.length, active, phase])) return pillsOf(b, uses, line, now, active);
  arrow.setAttribute("class", ["arrow", constant && "constant", !made && "later", carried.length && "passed", active && "active"].filter(Boolean).join(" "));
  const up = phase === "back" && carried.length > 0;
  line.setAttribute(up ? "marker-start" : "marker-end", `url(#${up ? "come" : active ? "go" : "plain"})`);
  line.removeAttribute(up ? "marker-end" : "marker-start");
  pillsOf(b, uses, line, now, active);
}

// The numbers that this step passes along an arrow.
function pillsOf(b, uses, line, now, active) {
  if (now.phase !== "back" || !active || b[0] === "f") return;
  const texts = uses.filter(([, user]) => user === now.box).flatMap(([source, , name]) => now.passed.filter((p) => p.box === source && p.name === name))
    .map((p) => contents[p.gradient]).filter((c) => c.numbers?.length === 1).map((c) => written(c.numbers[0]));
  if (texts.length) drawing.pills.append(pill(line, texts.join("  +  ")));
}

// The gradient on its way, written on its arrow.
function pill(line, text) {
  const { x, y } = line.getPointAtLength(line.getTotalLength() * 0.5), w = text.length * 8 + 14;
  return el("g", { class: "arrow" }, el("g", { class: "pill" }, el("rect", { x: x - w / 2, y: y - 11, width: w, height: 22, rx: 11 }), el("text", { x, y }, text)));
}

function sentence(now) {
  if (now.phase === "start") return "Before the first step: the leaves and constants are given.";
  if (now.phase === "end") return "The walk back is over: every gradient has arrived.";
  const count = `${now.phase === "go" ? "Forward" : "Walk back"}, step ${now.n} of ${now.phase === "go" ? forward.length : back.length}`;
  const id = seen(now.box), title = boxes[now.box].title;
  if (id[0] === "f") return `${count}: ${drawing.all.get(id).title}.`;
  if (now.phase === "go") return `${count}: ${title} gives ${spoken(contentOf(now.box))}.`;
  const sum = now.arrived.length > 1 ? ` the sum of ${now.arrived.length} gradients` : "";
  const came = `its gradient is${sum} ${spoken(contents[now.came[0].gradient])}`;
  if (!now.passed.length) return `${count}: ${title}, ${came}, kept in grad.`;
  return `${count}: ${title}, ${came}; it passes ${now.passed.map((p) => `${spoken(contents[p.gradient])} to ${boxes[p.box].title}`).join(", and ")}.`;
}

// --- moving ------------------------------------------------------------------------------------------------------

const move = (by) => go(stops[Math.min(stops.length - 1, Math.max(0, stops.indexOf(at) + by))]);

function visit(box) {
  const there = (document.body.dataset.phase === "back" || !goAt.has(box)) ? backAt.get(box) ?? goAt.get(box) : goAt.get(box);
  if (there !== undefined) go(there);
}

function fold(which, shut = true) {
  if (!which.length) return;
  for (const f of which) shut ? folded.add(f) : folded.delete(f);
  redraw();
}

// Frames that are open and have no open ones inside; folded ones that are seen.
const innermost = () => frames.map((_, f) => f).filter((f) => !folded.has(f) && !frames.some((other, o) => other.outer === f && !folded.has(o)));
const shutSeen = () => [...drawing.all.values()].filter((face) => face.frame !== null).map((face) => face.frame);

let timer = 0;
function play(on = !timer) {
  clearInterval(timer);
  if (on && at === stops.at(-1)) go(0);
  timer = on ? setInterval(() => (at === stops.at(-1) ? play(false) : move(1)), 1200) : 0;
  $("play").textContent = timer ? "⏸ pause" : "▶ play";
  $("play").setAttribute("aria-label", timer ? "Pause" : "Play");
}

// --- where the reader looks --------------------------------------------------------------------------------------

const view = { k: 1, x: 0, y: 0, whole: false, own: false }; // own: where the reader has moved it

function look() {
  const { clientWidth: width, clientHeight: height } = $("stage"), { w, h } = drawing.plan, edge = 22;
  const whole = Math.min((width - 2 * edge) / w, (height - 2 * edge) / h, 1.25);
  if (!view.own) view.k = view.whole || whole > 0.7 ? whole : 0.85; // smaller, the words in the boxes cannot be read
  const nearest = steps[Math.min(Math.max(at, 1), steps.length - 2)].box;
  const place = nearest === undefined ? { x: w / 2, y: 0, w: 0, h: 0 } : drawing.plan.boxes.get(seen(nearest));
  const along = (size, extent, start, length) => {
    if (extent * view.k <= size - 2 * edge) return (size - extent * view.k) / 2;
    return Math.min(edge, Math.max(size - edge - extent * view.k, size / 2 - (start + length / 2) * view.k));
  };
  const out = (start, length, shift, size) => start * view.k + shift < 0 || (start + length) * view.k + shift > size;
  const hidden = out(place.x, place.w, view.x, width) || out(place.y, place.h, view.y, height);
  if (!view.own || hidden) [view.x, view.y] = [along(width, w, place.x, place.w), along(height, h, place.y, place.h)];
  aim();
}

const aim = () => (drawing.world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.k})`);

function zoom(event) {
  event.preventDefault();
  const r = $("stage").getBoundingClientRect(), x = event.clientX - r.left, y = event.clientY - r.top;
  const k = Math.min(2.5, Math.max(0.05, view.k * Math.exp(-event.deltaY / 500)));
  Object.assign(view, { x: x - ((x - view.x) * k) / view.k, y: y - ((y - view.y) * k) / view.k, k, own: true });
  aim();
}

function drag(event) {
  if (event.button) return;
  const start = { x: event.clientX - view.x, y: event.clientY - view.y };
  const pull = (e) => {
    if (Math.hypot(e.clientX - event.clientX, e.clientY - event.clientY) < 4) return;
    $("stage").classList.add("dragged");
    addEventListener("click", stop, true);
    Object.assign(view, { x: e.clientX - start.x, y: e.clientY - start.y, own: true });
    aim();
  };
  addEventListener("pointermove", pull);
  const stop = (e) => e.stopPropagation(); // the end of a drag is no click
  addEventListener("pointerup", () => {
    removeEventListener("pointermove", pull);
    $("stage").classList.remove("dragged");
    setTimeout(() => removeEventListener("click", stop, true));
  }, { once: true });
}

// --- begin -------------------------------------------------------------------------------------------------------

const commands = {
  ArrowRight: () => move(1), ArrowLeft: () => move(-1), Home: () => go(stops[0]), End: () => go(stops.at(-1)),
  " ": () => play(), "+": () => fold(shutSeen(), false), "-": () => fold(innermost()),
  0: () => {
    view.whole = !view.own && !view.whole;
    view.own = false;
    $("fit").textContent = view.whole ? "follow the steps" : "whole graph";
    look();
  },
};
addEventListener("keydown", (event) => {
  const presses = event.key === " " && event.target.tagName === "BUTTON";
  if (!(event.key in commands) || presses || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (event.key !== " ") play(false);
  commands[event.key]();
});
const buttons = { first: "Home", back: "ArrowLeft", next: "ArrowRight", last: "End", fold: "-", unfold: "+", fit: "0" };
for (const [id, key] of Object.entries(buttons)) $(id).onclick = () => { play(false); commands[key](); };
$("play").onclick = () => play();
$("scrub").oninput = (event) => { play(false); go(stops[event.target.value]); };
$("stage").addEventListener("wheel", zoom, { passive: false });
$("stage").addEventListener("pointerdown", drag);
addEventListener("resize", look);

// large graphs begin folded, and are unfolded from outside as far as they fit
folded = new Set(boxes.length > MANY_BOXES ? frames.map((_, f) => f) : []);
for (let depth = 0; folded.size && depth < 9; depth++) {
  const before = new Set(folded);
  const outermost = new Set([...faces().values()].map((face) => face.frame));
  outermost.forEach((f) => folded.delete(f));
  if (faces().size > MANY_BOXES) { folded = before; break; }
}
at = Number(/^#(\d+)$/.exec(location.hash)?.[1] ?? 0); // page.html#7 opens at step 7
redraw();
requestAnimationFrame(() => $("stage").classList.add("open")); // where it opens it stands still
