"use strict";
// The layers, one function each, for one sample: an array of numbers {data, shape}.
const network = JSON.parse(document.getElementById("network").textContent);
const bytes = Uint8Array.from(atob(network.numbers), (c) => c.charCodeAt(0));
const numbers = new Float32Array(bytes.buffer);

function tensor({ at, shape }) {
  return numbers.subarray(at, at + shape.reduce((a, b) => a * b, 1));
}

// rows (T, in) times weight (out, in), plus bias: (T, out)
function affine(x, { weight, bias }) {
  const [outs, ins] = weight.shape, w = tensor(weight), b = tensor(bias);
  const rows = x.data.length / ins, y = new Float64Array(rows * outs);
  for (let t = 0; t < rows; t++)
    for (let o = 0; o < outs; o++) {
      let sum = b[o];
      for (let i = 0; i < ins; i++) sum += w[o * ins + i] * x.data[t * ins + i];
      y[t * outs + o] = sum;
    }
  return { data: y, shape: [...x.shape.slice(0, -1), outs] };
}

function pointwise(x, f) {
  return { data: x.data.map(f), shape: x.shape };
}

function plus(x, y) {
  return { data: x.data.map((v, i) => v + y.data[i]), shape: x.shape };
}

function rowsOf(indices, weight) {
  const w = tensor(weight), d = weight.shape[1], y = new Float64Array(indices.length * d);
  indices.forEach((index, t) => y.set(w.subarray(index * d, (index + 1) * d), t * d));
  return { data: y, shape: [indices.length, d] };
}

function norm(x, { weight, bias }, eps) {
  const d = weight.shape[0], w = tensor(weight), b = tensor(bias), y = new Float64Array(x.data.length);
  for (let at = 0; at < x.data.length; at += d) {
    const row = x.data.subarray(at, at + d);
    const mean = row.reduce((a, v) => a + v, 0) / d;
    const spread = Math.sqrt(row.reduce((a, v) => a + (v - mean) ** 2, 0) / d + eps);
    for (let i = 0; i < d; i++) y[at + i] = ((row[i] - mean) / spread) * w[i] + b[i];
  }
  return { data: y, shape: x.shape };
}

// each place looks at itself and at those before it
function attention(qkv, heads) {
  const [places, wide] = qkv.shape, width = wide / 3, d = width / heads;
  const y = new Float64Array(places * width);
  for (let h = 0; h < heads; h++)
    for (let t = 0; t < places; t++) {
      const scores = [];
      for (let s = 0; s <= t; s++) {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += qkv.data[t * wide + h * d + i] * qkv.data[s * wide + width + h * d + i];
        scores.push(sum / Math.sqrt(d));
      }
      softmax(scores).forEach((share, s) => {
        for (let i = 0; i < d; i++) y[t * width + h * d + i] += share * qkv.data[s * wide + 2 * width + h * d + i];
      });
    }
  return { data: y, shape: [places, width] };
}

const layers = {
  linear: affine,
  relu: (x) => pointwise(x, (v) => Math.max(v, 0)),
  tanh: (x) => pointwise(x, Math.tanh),
  flatten: (x) => ({ data: x.data, shape: [x.data.length] }),
  embedding: (x, layer) => rowsOf(x.data, layer.weight),
  positions: (x, layer) => plus(rowsOf(x.data, layer.token), rowsOf(x.data.map((_, t) => t), layer.place)),
  norm: (x, layer) => norm(x, layer, layer.eps),
  block(x, layer) {
    x = plus(x, affine(attention(affine(norm(x, layer.norm1, layer.eps), layer.qkv), layer.heads), layer.out));
    const wide = pointwise(affine(norm(x, layer.norm2, layer.eps), layer.up), (v) => Math.max(v, 0));
    return plus(x, affine(wide, layer.down));
  },
  lstm(x, layer) {
    const [places, ins] = x.shape, width = layer.state.weight.shape[1];
    const sigmoid = (v) => 1 / (1 + Math.exp(-v)), y = new Float64Array(places * width);
    let h = { data: new Float64Array(width), shape: [width] }, c = new Float64Array(width);
    for (let t = 0; t < places; t++) {
      const now = { data: x.data.subarray(t * ins, (t + 1) * ins), shape: [ins] };
      const gates = plus(affine(now, layer.input), affine(h, layer.state)).data; // in, forget, new, out
      c = c.map((v, i) => sigmoid(gates[width + i]) * v + sigmoid(gates[i]) * Math.tanh(gates[2 * width + i]));
      h = { data: c.map((v, i) => sigmoid(gates[3 * width + i]) * Math.tanh(v)), shape: [width] };
      y.set(h.data, t * width);
    }
    return { data: y, shape: [places, width] };
  },
  conv2d(x, layer) {
    const [channels, height, width] = x.shape, [outs, , kh, kw] = layer.weight.shape, pad = layer.padding;
    const w = tensor(layer.weight), b = tensor(layer.bias);
    const h = height + 2 * pad - kh + 1, v = width + 2 * pad - kw + 1, y = new Float64Array(outs * h * v);
    for (let o = 0; o < outs; o++)
      for (let i = 0; i < h; i++)
        for (let j = 0; j < v; j++) {
          let sum = b[o];
          for (let c = 0; c < channels; c++)
            for (let k = Math.max(0, pad - i); k < Math.min(kh, height + pad - i); k++)
              for (let l = Math.max(0, pad - j); l < Math.min(kw, width + pad - j); l++)
                sum += w[((o * channels + c) * kh + k) * kw + l] * x.data[(c * height + i + k - pad) * width + j + l - pad];
          y[(o * h + i) * v + j] = sum;
        }
    return { data: y, shape: [outs, h, v] };
  },
  maxpool(x, { size }) {
    const [channels, height, width] = x.shape, h = Math.floor(height / size), v = Math.floor(width / size);
    const y = new Float64Array(channels * h * v).fill(-Infinity);
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < h * size; i++)
        for (let j = 0; j < v * size; j++) {
          const at = (c * h + Math.floor(i / size)) * v + Math.floor(j / size);
          y[at] = Math.max(y[at], x.data[(c * height + i) * width + j]);
        }
    return { data: y, shape: [channels, h, v] };
  },
};

// the scores of one sample; of a text those of its last place
function run(data, shape) {
  let x = { data, shape };
  for (const layer of network.layers) x = layers[layer.kind](x, layer);
  return Array.from(x.data.slice(-network.classes.length));
}

function softmax(scores) {
  const highest = Math.max(...scores), powers = scores.map((s) => Math.exp(s - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

// --- pieces of the page ---------------------------------------------------------------------------------------------

const app = document.getElementById("app");

function make(tag, attributes = {}, parent = app) {
  const element = Object.assign(document.createElement(tag), attributes);
  parent.append(element);
  return element;
}

function scoreTable(parent) {
  const table = make("table", { className: "scores", ariaLabel: "how likely each class is" }, parent);
  const rows = network.classes.map((name) => {
    const row = make("tr", {}, table);
    make("th", { textContent: name, scope: "row" }, row);
    const bar = make("div", { className: "bar" }, make("td", {}, row));
    return { row, bar, text: make("td", {}, row) };
  });
  return (scores) => {
    const shares = softmax(scores), best = shares.indexOf(Math.max(...shares));
    rows.forEach(({ row, bar, text }, i) => {
      row.className = i === best ? "best" : "";
      bar.style.width = `${100 * shares[i]}%`;
      text.textContent = `${(100 * shares[i]).toFixed(1)}%`;
    });
    return best;
  };
}

// how far this page's scores are from the engine's, for the examples it brought along
function deviation(shape) {
  const far = network.examples.map(({ x, scores }) =>
    Math.max(...run(Float64Array.from(x), shape).map((s, i) => Math.abs(s - scores[i]))));
  return Math.max(...far);
}
