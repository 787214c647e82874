// What every widget has: `data`, the values that Python gave, and short words for what pages are made of.
const data = JSON.parse(document.getElementById("data").textContent);

const one = (selector) => document.querySelector(selector);

// An element with attributes and children; SVG's names make SVG's elements. A function among the attributes listens.
function make(name, attributes = {}, ...children) {
  const drawn = "svg g rect circle line path text polyline polygon title".split(" ").includes(name);
  const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// A number as people write it: four digits that count, a real minus.
function number(x, digits = 4) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "−inf";
  const size = Math.abs(x);
  const text = size !== 0 && (size >= 1e7 || size < 1e-5) ? x.toExponential(digits - 1) : String(Number(x.toPrecision(digits)));
  return text.replace("-", "−");
}

// In a notebook the frame becomes as tall as what is in it.
new ResizeObserver(() => {
  if (window.frameElement) window.frameElement.style.height = `${document.body.offsetHeight + 4}px`;
}).observe(document.body);
