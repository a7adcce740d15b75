// Places the graph of dependencies: in layers, so that whoever calls stands above whom it calls.

export const MOST_SINGLE = 60; // servers that are drawn one by one; more are drawn by role and site
const NODE = { width: 166, height: 34 };
const GROUP = { width: 172, height: 46 };
const GAP = { side: 14, line: 12, layer: 46, edge: 12 };
const FEWEST = 3; // nodes a line; where fewer fit, all stand in one column and the edges beside it
const WORST = ["critical", "warning", "unknown", "ok"];

// servers: [{hostname, role, site, health, depends_on}] -> {single, nodes: [{key, role, site, servers, health}], edges: [{from, to, count}]}
export function graphOf(servers) {
  const single = servers.length <= MOST_SINGLE;
  const keys = new Map(servers.map((server) => [server.hostname, single ? server.hostname : `${server.role} · ${server.site}`]));
  const nodes = new Map();
  for (const server of servers) {
    const key = keys.get(server.hostname);
    if (!nodes.has(key)) nodes.set(key, { key, role: server.role, site: server.site, servers: [] });
    nodes.get(key).servers.push(server);
  }
  for (const node of nodes.values()) node.health = WORST.find((health) => node.servers.some((server) => server.health === health)) ?? "unknown";
  const edges = new Map();
  for (const server of servers) {
    for (const called of server.depends_on) {
      const [from, to] = [keys.get(server.hostname), keys.get(called)];
      if (to === undefined || from === to) continue;
      const name = JSON.stringify([from, to]);
      const edge = edges.get(name) ?? { from, to, count: 0 };
      edge.count += 1;
      edges.set(name, edge);
    }
  }
  return { single, nodes: [...nodes.values()], edges: [...edges.values()] };
}

// Depth of each role: the longest way to it from a role that nobody calls. Roles without any call come last.
function depths(nodes, edges) {
  const roleOf = new Map(nodes.map((node) => [node.key, node.role]));
  const calls = edges.map(({ from, to }) => [roleOf.get(from), roleOf.get(to)]).filter(([from, to]) => from !== to);
  const depth = new Map(calls.flat().map((role) => [role, 0]));
  // In a graph without circles the depths are settled after as many rounds as there are roles; circles end there as well.
  for (let round = 0; round < depth.size; round += 1) {
    for (const [from, to] of calls) depth.set(to, Math.max(depth.get(to), Math.min(depth.get(from) + 1, depth.size)));
  }
  for (const { role } of nodes) if (!depth.has(role)) depth.set(role, Infinity);
  return depth;
}

// Adds x, y, width, height to the nodes and a path to the edges, for a drawing of this width; gives its height too.
export function place({ single, nodes, edges }, width) {
  const shape = single ? NODE : GROUP;
  const depth = depths(nodes, edges);
  const fitting = Math.floor((width - 2 * GAP.edge + GAP.side) / (shape.width + GAP.side));
  const column = fitting < FEWEST;
  const perLine = column ? 1 : fitting;
  const layers = new Map();
  for (const node of nodes) {
    const at = depth.get(node.role);
    if (!layers.has(at)) layers.set(at, []);
    layers.get(at).push(node);
  }
  const placed = new Map();
  const lines = []; // keys by line, for going about with the arrow keys
  let y = GAP.edge;
  for (const at of [...layers.keys()].sort((a, b) => a - b)) {
    const layer = layers.get(at).sort((a, b) => a.role.localeCompare(b.role) || a.site.localeCompare(b.site) || a.key.localeCompare(b.key, undefined, { numeric: true }));
    // Lines of one layer are filled evenly: nine of eight a line are five and four, and not eight and one.
    const count = Math.ceil(layer.length / perLine);
    const length = Math.ceil(layer.length / count);
    for (let first = 0; first < layer.length; first += length) {
      const line = layer.slice(first, first + length);
      const taken = line.length * (shape.width + GAP.side) - GAP.side;
      const left = column ? GAP.edge / 2 : (width - taken) / 2;
      line.forEach((node, k) => placed.set(node.key, { ...node, ...shape, x: left + k * (shape.width + GAP.side), y }));
      lines.push(line.map((node) => node.key));
      y += shape.height + GAP.line;
    }
    y += (column ? GAP.side : GAP.layer) - GAP.line;
  }
  return {
    single,
    lines,
    nodes: [...placed.values()],
    edges: edges.map((edge) => ({ ...edge, path: (column ? arc : curve)(placed.get(edge.from), placed.get(edge.to), width, y) })),
    height: y + GAP.edge / 2 - (column ? GAP.side : GAP.layer) + GAP.line,
  };
}

function curve(from, to) {
  const [x1, x2] = [from.x + from.width / 2, to.x + to.width / 2];
  const [start, end] = to.y > from.y ? [from.y + from.height, to.y] : to.y === from.y ? [from.y + from.height, to.y + to.height] : [from.y, to.y + to.height];
  if (to.y === from.y) return `M${x1} ${start}C${x1} ${start + GAP.layer / 2} ${x2} ${end + GAP.layer / 2} ${x2} ${end}`;
  const bend = (end - start) / 2;
  return `M${x1} ${start}C${x1} ${start + bend} ${x2} ${end - bend} ${x2} ${end}`;
}

// Beside the column, the farther out the longer the way.
function arc(from, to, width, height) {
  const x = from.x + from.width;
  const [start, end] = [from.y + from.height / 2, to.y + to.height / 2];
  const reach = x + 12 + ((width - x - GAP.edge) * 4 * Math.abs(end - start)) / (3 * height);
  return `M${x} ${start}C${reach} ${start} ${reach} ${end} ${x} ${end}`;
}
