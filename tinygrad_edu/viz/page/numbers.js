// How numbers are written and drawn.

const LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+", MOST = 31;

// An element of the page; what is given as text stays text, whatever it says.
function el(name, attributes = {}, ...children) {
  const svg = /^(svg|g|path|rect|text|tspan|title|desc|circle|defs|marker|line)$/.test(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A number in four digits, with a true minus sign.
function written(x) {
  if (x === true) return "True";
  if (x === false) return "False";
  if (typeof x === "string") return x.replaceAll("-", "−").replace("inf", "∞").replace("nan", "NaN");
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return String(x).replace("-", "−");
  const short = Number(x.toPrecision(4));
  const text = short !== 0 && (Math.abs(short) < 1e-4 || Math.abs(short) >= 1e6) ? short.toExponential() : String(short);
  return text.replace("e+", "e").replaceAll("-", "−");
}

const shapeText = (shape) => `[${shape.join(", ")}]`;
const typeText = (c) => `${c.shape.length ? shapeText(c.shape) : "one number"} · ${c.dtype}`;
const isBad = (x) => x === "nan" || x === "inf" || x === "-inf";

// The map of many numbers, or one made of few: {rows, columns, scale, cells: [-1 ... 1, null where not finite]}.
function mapOf(c) {
  if (c.map) {
    const cells = [...c.map.cells].map((letter) => (letter === "!" ? null : (LEVELS.indexOf(letter) - MOST) / MOST));
    return { ...c.map, cells };
  }
  if (!c.numbers?.length || c.numbers.some((x) => typeof x === "string" && !isBad(x))) return null;
  const columns = c.shape.at(-1) ?? 1;
  const scale = Math.max(...c.numbers.map((x) => (isBad(x) ? 0 : Math.abs(x))));
  const cells = c.numbers.map((x) => (isBad(x) ? null : scale ? Number(x) / scale : 0));
  return { rows: c.numbers.length / columns, columns, scale, cells, each: [1, 1] };
}

// The same map with fewer cells.
function coarser(map, rows, columns) {
  if (map.rows <= rows && map.columns <= columns) return map;
  const r = Math.min(rows, map.rows), k = Math.min(columns, map.columns);
  const sums = Array(r * k).fill(0), counts = Array(r * k).fill(0);
  map.cells.forEach((x, i) => {
    const place = Math.floor((Math.floor(i / map.columns) * r) / map.rows) * k + Math.floor(((i % map.columns) * k) / map.columns);
    sums[place] = x === null || sums[place] === null ? null : sums[place] + x;
    counts[place]++;
  });
  return { ...map, rows: r, columns: k, cells: sums.map((sum, i) => (sum === null ? null : sum / counts[i])) };
}

// Squares whose area is the size of the number: full where positive, hollow where negative, a cross where not finite.
function squares(map, width, height, largest = 16) {
  const side = Math.min(width / map.columns, height / map.rows, largest);
  const x0 = (width - side * map.columns) / 2, y0 = (height - side * map.rows) / 2;
  let plus = "", minus = "", bad = "";
  map.cells.forEach((x, i) => {
    const cx = x0 + ((i % map.columns) + 0.5) * side, cy = y0 + (Math.floor(i / map.columns) + 0.5) * side;
    const square = (s) => `M${rounded(cx - s / 2)} ${rounded(cy - s / 2)}h${rounded(s)}v${rounded(s)}h${rounded(-s)}z`;
    const edge = Math.min(1.2, side / 7);
    if (x === null) bad += `M${cx - side / 3} ${cy - side / 3}l${side / 1.5} ${side / 1.5}m0 ${-side / 1.5}l${-side / 1.5} ${side / 1.5}`;
    else if (x > 0) plus += square(Math.max(0.9 * side * Math.sqrt(x), 0.8));
    else if (x < 0) minus += square(Math.max(0.9 * side * Math.sqrt(-x) - edge, 0.5));
  });
  const ground = { x: rounded(x0), y: rounded(y0), width: rounded(side * map.columns), height: rounded(side * map.rows) };
  return el("g", { class: "squares" },
    el("rect", { ...ground, class: "ground" }),
    el("path", { d: plus || "M0 0", class: "plus" }),
    el("path", { d: minus || "M0 0", class: "minus", "stroke-width": Math.min(1.2, side / 7) }),
    el("path", { d: bad || "M0 0", class: "fault" }));
}

// What a screen reader says of an array, and a tooltip.
function spoken(c) {
  if (!c) return "not kept";
  if (c.numbers && c.numbers.length < 10) return c.numbers.map(written).join(", ") || "no numbers";
  if (c.numbers) return `${c.numbers.length} numbers`;
  if (c.min === undefined) return `${c.shape.reduce((a, b) => a * b, 1)} values`;
  const faults = [c.nan ? `${c.nan} NaN` : "", c.inf ? `${c.inf} infinite` : ""].filter(Boolean).join(", ");
  return `from ${written(c.min)} to ${written(c.max)}, mean ${written(c.mean)}${faults ? `, ${faults}` : ""}`;
}

// An array in the panel: one number large, a few as a table, many as statistics and a map.
function shown(c, typed = true) {
  if (!c) return el("span", { class: "missing" }, "not kept: no rule asked for it");
  const kind = typed ? el("span", { class: "kind" }, typeText(c)) : "";
  if (c.numbers && !c.shape.length) {
    return el("span", { class: "array" }, el("b", { class: isBad(c.numbers[0]) ? "number bad" : "number", title: String(c.numbers[0]) }, written(c.numbers[0])), kind);
  }
  if (c.numbers) {
    const columns = c.shape.length > 1 ? c.shape.at(-1) : Math.min(c.numbers.length, 8);
    const table = el("table", { class: "matrix" });
    for (let i = 0; i < c.numbers.length; i += columns || 1) {
      const cells = c.numbers.slice(i, i + columns);
      table.append(el("tr", {}, ...cells.map((x) => el("td", { title: String(x), class: isBad(x) ? "bad" : undefined }, written(x)))));
    }
    return el("span", { class: "array" }, el("span", { class: "scroll" }, table), kind);
  }
  const facts = c.min === undefined ? [] : [["min", c.min], ["mean", c.mean], ["max", c.max]];
  const size = c.shape.reduce((a, b) => a * b, 1);
  const list = el("span", { class: "facts" }, ...facts.map(([name, x]) => el("span", {}, `${name} `, el("b", {}, written(x)))));
  if (c.zeros) list.append(el("span", {}, "zeros ", el("b", {}, `${written((100 * c.zeros) / size)} %`)));
  if (c.nan) list.append(el("span", { class: "bad" }, `${c.nan} NaN`));
  if (c.inf) list.append(el("span", { class: "bad" }, `${c.inf} infinite`));
  const map = mapOf(c);
  const box = el("span", { class: "array" }, list);
  if (map) {
    const height = Math.min(180, Math.max(14, (280 / map.columns) * map.rows));
    const blocks = map.each.some((n) => n > 1) ? `, each the mean of about ${written(map.each[0])} × ${written(map.each[1])} numbers` : "";
    box.append(
      el("svg", { viewBox: `0 0 280 ${height}`, class: "map", role: "img", "aria-label": spoken(c) }, squares(map, 280, height)),
      el("span", { class: "kind" }, `largest square: ${written(map.scale)}${blocks}`));
  }
  box.append(kind);
  return box;
}
