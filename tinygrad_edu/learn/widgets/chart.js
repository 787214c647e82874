// A chart of lines over steps, drawn up to a step; lines are told apart by colour and by dashes.
const LOOKS = [["blue", ""], ["orange", "7 3"], ["green", "2 3"], ["purple", "9 3 2 3"]];
const [WIDE, HIGH, LEFT, BOTTOM, TOP] = [420, 230, 58, 34, 26];

// Values at which a line is drawn across, between the lowest and the highest.
function ticks(low, high, logarithmic) {
  if (logarithmic) {
    const from = Math.ceil(Math.log10(low) - 1e-9), to = Math.floor(Math.log10(high) + 1e-9), every = Math.ceil((to - from + 1) / 6);
    const powers = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i).filter((p) => (to - p) % every === 0);
    if (powers.length > 1) return powers.map((p) => 10 ** p);
  }
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

// lines: {name: {points: [[step, value], ...], shift, extra}}; `shift` moves a line up by pixels, `extra` is a class.
// `named` is what stands below a step.
function chart({ title, across, lines, upto, logarithmic, marks = [], named = number }) {
  const every = Object.values(lines).flatMap(({ points }) => points);
  const steps = every.map(([step]) => step), values = [...every.map(([, value]) => value), ...marks];
  const from = Math.min(...steps), to = Math.max(...steps, from + 1e-9);
  const log = logarithmic && values.every((value) => value > 0);
  let low = Math.min(...values), high = Math.max(...values);
  const margin = log ? (high / low || 1) ** 0.05 : 0.05 * (high - low || Math.abs(high) || 1);
  [low, high] = log ? [low / Math.max(margin, 1.01), high * Math.max(margin, 1.01)] : [low - margin, high + margin];
  const measure = (value) => (log ? Math.log10(value) : value);
  const right = (step) => LEFT + ((step - from) / (to - from)) * (WIDE - LEFT - 12);
  const up = (value) => HIGH - BOTTOM - ((measure(value) - measure(low)) / (measure(high) - measure(low))) * (HIGH - BOTTOM - TOP);
  const svg = make("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", class: "chart" }, make("title", {}, title));
  for (const value of ticks(low, high, log)) {
    svg.append(make("line", { class: "grid", x1: LEFT, x2: WIDE - 12, y1: up(value), y2: up(value) }));
    svg.append(make("text", { class: "tick", x: LEFT - 6, y: up(value) + 4, "text-anchor": "end" }, number(value, 3).replace(/\.?0+e/, "e")));
  }
  for (const step of ticks(from, to).filter((step) => to - from < 1 || Number.isInteger(step)))
    svg.append(make("text", { class: "tick", x: right(step), y: HIGH - BOTTOM + 16, "text-anchor": "middle" }, named(step)));
  for (const mark of marks) svg.append(make("line", { class: "mark", x1: LEFT, x2: WIDE - 12, y1: up(mark), y2: up(mark) }));
  svg.append(make("text", { class: "head", x: LEFT, y: 15 }, title));
  svg.append(make("text", { class: "tick", x: WIDE - 12, y: HIGH - 3, "text-anchor": "end" }, across));
  Object.entries(lines).forEach(([name, { points, shift = 0, extra = "" }], i) => {
    const [colour, dashes] = LOOKS[i % LOOKS.length], shown = points.filter(([step]) => step <= upto);
    const places = shown.map(([step, value]) => [right(step), up(value) - shift]);
    const line = make("polyline", { class: `curve ${extra}`, style: `stroke:var(--${colour})`, "stroke-dasharray": dashes,
      "data-name": name, points: places.map((place) => place.map((v) => v.toFixed(1)).join(",")).join(" ") });
    svg.append(line);
    if (places.length) svg.append(make("circle", { class: "end", style: `fill:var(--${colour})`, cx: places.at(-1)[0], cy: places.at(-1)[1], r: 4 }));
  });
  return svg;
}

// The line of a name, as a sample for the words beside it.
function sample(i) {
  const [colour, dashes] = LOOKS[i % LOOKS.length], svg = make("svg", { width: 30, height: 10, class: "sample", viewBox: "0 0 30 10" });
  svg.append(make("line", { x1: 1, x2: 29, y1: 5, y2: 5, style: `stroke:var(--${colour})`, "stroke-width": 2.5, "stroke-dasharray": dashes }));
  return svg;
}

// A button and a slider that go through the steps; `draw` is called with the step.
function player(steps, draw) {
  const slider = one("#step"), button = one("#play");
  let clock = null;
  const show = () => {
    one("#step-text").textContent = number(steps[slider.value]);
    draw(steps[slider.value]);
    button.textContent = clock ? "Pause" : "Play";
  };
  const stop = () => { clearInterval(clock); clock = null; };
  slider.max = steps.length - 1;
  slider.value = steps.length - 1;
  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => {
    if (clock) stop();
    else if (matchMedia("(prefers-reduced-motion: reduce)").matches) slider.value = steps.length - 1;
    else {
      if (Number(slider.value) === steps.length - 1) slider.value = 0;
      clock = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        if (Number(slider.value) === steps.length - 1) stop();
        show();
      }, Math.max(30, Math.min(500, 5000 / steps.length)));
    }
    show();
  });
  show();
  return show;
}
