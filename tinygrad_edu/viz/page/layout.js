// A layered layout: every box below the boxes it is made from, modules as frames around their boxes. A frame is laid
// out first and is then one large box to those around it; an arrow that crosses its border does so at a port. Arrows
// pass each layer in a slot of their own, so that none runs through a box.

const GAP = { between: 22, layers: 36, ports: 18, slot: 14, frame: 14, heading: 26 };

// `members`: {id, w, h, order} or {id, members, order} (a frame); `arrows`: [from, to] by id.
// Answers {w, h, boxes: Map id -> {x, y, w, h}, frames: the same, paths: Map "from>to" -> [[x, y], ...]}.
function layoutOf(members, arrows) {
  const inside = ids(members);
  const item = new Map();
  const items = members.map((m) => {
    const v = { m, order: m.order, w: m.w, h: m.h, id: m.id };
    if (m.members) {
      v.inner = layoutOf(m.members, arrows.filter(([a, b]) => ids(m.members).has(a) || ids(m.members).has(b)));
      v.w = v.inner.w + 2 * GAP.frame;
      v.h = v.inner.h + GAP.heading + GAP.frame;
      ids(m.members).forEach((id) => item.set(id, v));
    } else {
      item.set(m.id, v);
    }
    return v;
  });

  // values that come from outside enter by a port at the top, those that go outside leave by one at the bottom
  const entries = new Map(), exits = new Map(), routes = [];
  const port = (ports, id, order) => {
    if (!ports.has(id)) ports.set(id, { port: true, id, order, w: GAP.slot, h: 0 });
    return ports.get(id);
  };
  for (const [a, b] of arrows) {
    const from = item.get(a) ?? port(entries, a, -1), to = item.get(b) ?? port(exits, a, Infinity);
    if (from !== to && (inside.has(a) || inside.has(b))) routes.push({ a, b, from, to });
  }
  const vertices = [...entries.values(), ...items, ...exits.values()].sort((p, q) => p.order - q.order);

  rank(vertices, routes, exits);
  const layers = [];
  vertices.forEach((v) => (layers[v.rank] ??= []).push(v));
  const links = thread(routes, layers);
  arrange(layers, links);
  settle(layers, links);
  return drawn(layers, routes, entries, exits);
}

function ids(members) {
  const found = new Set();
  for (const m of members) m.members ? ids(m.members).forEach((id) => found.add(id)) : found.add(m.id);
  return found;
}

// The layer of each vertex: one below the lowest that it is made from; what is made from nothing just above its use.
function rank(vertices, routes, exits) {
  const into = new Map(vertices.map((v) => [v, []])), out = new Map(vertices.map((v) => [v, []]));
  for (const { from, to } of routes) if (from.order < to.order) { into.get(to).push(from); out.get(from).push(to); }
  for (const v of vertices) v.rank = Math.max(0, ...into.get(v).map((u) => u.rank + 1));
  for (const v of vertices) {
    if (!v.port && !into.get(v).length && out.get(v).length) v.rank = Math.min(...out.get(v).map((u) => u.rank)) - 1;
  }
  const last = Math.max(...vertices.map((v) => v.rank));
  for (const v of exits.values()) v.rank = last;
}

// Slots in the layers that an arrow passes on its way; arrows of one value share theirs.
function thread(routes, layers) {
  const slots = new Map(), links = new Map();
  for (const route of routes) {
    route.via = [];
    let before = route.from, offset = attachment(route.from, "exits", route.a);
    for (let r = route.from.rank + 1; r < route.to.rank; r++) {
      const key = `${route.a}/${r}`;
      if (!slots.has(key)) {
        slots.set(key, { slot: true, w: GAP.slot, h: 0, rank: r, order: route.from.order });
        layers[r].push(slots.get(key));
      }
      const slot = slots.get(key);
      links.set(`${key}>`, { up: before, down: slot, upOffset: offset, downOffset: 0 });
      route.via.push(slot);
      [before, offset] = [slot, 0];
    }
    const end = { up: before, down: route.to, upOffset: offset, downOffset: attachment(route.to, "entries", route.a) };
    links.set(`${route.a}>${route.b}`, end);
  }
  return [...links.values()].filter(({ up, down }) => up.rank < down.rank);
}

// Where an arrow meets a frame, from the frame's middle.
function attachment(vertex, side, id) {
  const x = vertex.inner?.[side].get(id);
  return x === undefined ? 0 : x + GAP.frame - vertex.w / 2;
}

// The order inside each layer: by the mean place of the neighbours, down and up again; the best order seen is kept.
function arrange(layers, links) {
  const ups = new Map(), downs = new Map();
  for (const link of links) {
    if (!ups.has(link.down)) ups.set(link.down, []);
    if (!downs.has(link.up)) downs.set(link.up, []);
    ups.get(link.down).push(link);
    downs.get(link.up).push(link);
  }
  const number = () => layers.forEach((layer) => layer.forEach((v, i) => (v.place = (i + 0.5) / layer.length)));
  const sort = (layer, neighbours, side) => {
    for (const v of layer) {
      const near = neighbours.get(v);
      v.mean = near ? near.reduce((sum, link) => sum + link[side].place + link[`${side}Offset`] * 1e-4, 0) / near.length : v.place;
    }
    layer.sort((p, q) => p.mean - q.mean || p.order - q.order);
  };
  number();
  let best = null, fewest = Infinity;
  for (let round = 0; round < 10 && fewest > 0; round++) {
    if (round % 2) for (const layer of layers) { sort(layer, ups, "up"); number(); }
    else for (const layer of [...layers].reverse()) { sort(layer, downs, "down"); number(); }
    const count = crossings(links);
    if (count < fewest) [best, fewest] = [layers.map((layer) => [...layer]), count];
  }
  best?.forEach((layer, r) => (layers[r] = layer));
}

function crossings(links) {
  const byLayer = new Map();
  for (const link of links) (byLayer.get(link.up.rank) ?? byLayer.set(link.up.rank, []).get(link.up.rank)).push(link);
  let count = 0;
  for (const group of byLayer.values()) {
    for (let i = 0; i < group.length; i++) {
      for (let j = 0; j < i; j++) {
        const top = group[i].up.place - group[j].up.place, bottom = group[i].down.place - group[j].down.place;
        if (top * bottom < 0) count++;
      }
    }
  }
  return count;
}

// The places from left to right: each vertex as near to its neighbours as the order and the widths allow.
function settle(layers, links) {
  for (const layer of layers) {
    let x = 0;
    for (const v of layer) { v.x = x + v.w / 2; x += v.w + GAP.between; }
    for (const v of layer) v.x -= x / 2;
  }
  const pull = (layer, end, other) => {
    const wanted = new Map();
    for (const link of links) {
      if (link[end].rank !== layer.rank) continue;
      const x = link[other].x + link[`${other}Offset`] - link[`${end}Offset`];
      (wanted.get(link[end]) ?? wanted.set(link[end], []).get(link[end])).push(x);
    }
    spread(layer, wanted);
  };
  layers.forEach((layer, r) => (layer.rank = r));
  for (let round = 0; round < 8; round++) {
    for (const layer of layers) pull(layer, "down", "up");
    for (const layer of [...layers].reverse()) pull(layer, "up", "down");
  }
}

// Least squares under the least distances: neighbours that would overlap form a block, which goes to its mean.
function spread(layer, wanted) {
  const blocks = [];
  let reach = 0;
  layer.forEach((v, i) => {
    if (i) reach += (layer[i - 1].w + v.w) / 2 + (v.slot || layer[i - 1].slot ? GAP.slot : GAP.between);
    v.reach = reach;
    const xs = wanted.get(v) ?? [v.x];
    const weight = wanted.has(v) ? (v.slot ? 4 : 1) : 0.01;
    const x = xs.reduce((a, b) => a + b, 0) / xs.length - reach;
    blocks.push({ sum: x * weight, weight, count: 1 });
    while (blocks.length > 1) {
      const [p, q] = blocks.slice(-2);
      if (p.sum / p.weight <= q.sum / q.weight) break;
      blocks.splice(-2, 2, { sum: p.sum + q.sum, weight: p.weight + q.weight, count: p.count + q.count });
    }
  });
  let i = 0;
  for (const b of blocks) for (let n = 0; n < b.count; n++, i++) layer[i].x = b.sum / b.weight + layer[i].reach;
}

// Everything with its place on the paper, and each arrow as the points it passes.
function drawn(layers, routes, entries, exits) {
  const all = layers.flat();
  const left = Math.min(...all.map((v) => v.x - v.w / 2)), w = Math.max(...all.map((v) => v.x + v.w / 2)) - left;
  let y = 0, h = 0;
  layers.forEach((layer, r) => {
    if (r) y += h + gap(layers[r - 1], layer);
    h = Math.max(0, ...layer.map((v) => v.h));
    for (const v of layer) {
      v.x -= left;
      [v.top, v.bottom] = v.slot || v.port ? [y, y + h] : [y + (h - v.h) / 2, y + (h + v.h) / 2];
      [v.layerTop, v.layerBottom] = [y, y + h];
    }
  });
  const boxes = new Map(), frames = new Map(), paths = new Map();
  const moved = (points, v) => points.map(([x, y]) => [x + v.x - v.w / 2 + GAP.frame, y + v.top + GAP.heading]);
  for (const v of all) {
    if (!v.m) continue;
    const place = { x: v.x - v.w / 2, y: v.top, w: v.w, h: v.h };
    (v.inner ? frames : boxes).set(v.id, place);
    if (!v.inner) continue;
    const shift = (p) => ({ ...p, x: p.x + place.x + GAP.frame, y: p.y + place.y + GAP.heading });
    v.inner.boxes.forEach((p, id) => boxes.set(id, shift(p)));
    v.inner.frames.forEach((p, id) => frames.set(id, shift(p)));
    v.inner.paths.forEach((points, key) => { if (!v.inner.open.has(key)) paths.set(key, moved(points, v)); });
  }
  const open = new Set();
  for (const { a, b, from, to, via } of routes) {
    const key = `${a}>${b}`;
    const points = [];
    if (from.port) points.push([from.x, from.top], [from.x, from.bottom]);
    else if (from.inner) points.push(...moved(from.inner.paths.get(key), from), [from.x + attachment(from, "exits", a), from.bottom]);
    else points.push([from.x, from.bottom]);
    if (!from.port && from.bottom < from.layerBottom) points.push([points.at(-1)[0], from.layerBottom]);
    for (const slot of via) points.push([slot.x, slot.top], [slot.x, slot.bottom]);
    if (to.port) points.push([to.x, to.top], [to.x, to.bottom]);
    else {
      const x = to.x + attachment(to, "entries", a);
      if (to.top > to.layerTop) points.push([x, to.layerTop]);
      points.push([x, to.top]);
      if (to.inner) points.push(...moved(to.inner.paths.get(key), to));
    }
    if (from.port || to.port) open.add(key);
    paths.set(key, points);
  }
  const along = (ports) => new Map([...ports].map(([id, v]) => [id, v.x]));
  return { w, h: y + h, boxes, frames, paths, open, entries: along(entries), exits: along(exits) };
}

// Next to a layer of ports alone there is little to cross.
function gap(layer, next) {
  return [layer, next].some((each) => each.every((v) => v.port)) ? GAP.ports : GAP.layers;
}

// A smooth line: straight inside a layer, bent between two.
function curve(points) {
  let d = `M${points[0].map(rounded)}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i];
    const middle = (y0 + y1) / 2;
    d += Math.abs(x0 - x1) < 0.5 ? `L${[x1, y1].map(rounded)}` : `C${[x0, middle, x1, middle, x1, y1].map(rounded)}`;
  }
  return d;
}

const rounded = (x) => Math.round(x * 10) / 10;
