// What the dashboard knows, kept fresh: servers by the live stream and a slow poll, alerts by the live stream.

import { useEffect, useState } from "../vendor/htm-preact.js";
import { list } from "./api.js";

const POLL_MS = 15000; // health, labels and servers that vanished come with the poll; figures come with the stream

const state = { servers: new Map(), alerts: new Map(), live: false, loaded: false, time: null };
const listeners = new Set();
let scheduled = false;

function changed() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    for (const listener of listeners) listener();
  });
}

export function useStore() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return state;
}

async function poll() {
  try {
    const items = await list("/api/v1/servers");
    state.servers = new Map(items.map((item) => [item.server, item]));
    state.loaded = true;
  } catch {
    state.live = false;
  }
  changed();
}

function onMetrics(event) {
  const { servers, time, snapshot } = JSON.parse(event.data);
  let strangers = false;
  for (const [name, { time: seen, ...figures }] of Object.entries(servers)) {
    const known = state.servers.get(name);
    if (known) {
      state.servers.set(name, { ...known, last_seen: seen ?? known.last_seen, metrics: { ...known.metrics, ...figures } });
    } else {
      strangers = true;
    }
  }
  state.time = time;
  if (strangers || snapshot) poll(); // a snapshot also comes when servers have vanished
  changed();
}

function onAlerts(event) {
  const { alerts, snapshot } = JSON.parse(event.data);
  if (snapshot) state.alerts = new Map();
  for (const alert of alerts) state.alerts.set(alert.id, alert);
  changed();
}

export function start() {
  poll();
  setInterval(poll, POLL_MS);
  const stream = new EventSource("/api/v1/stream?topics=metrics,alerts");
  stream.addEventListener("metrics", onMetrics);
  stream.addEventListener("alerts", onAlerts);
  stream.addEventListener("open", () => {
    state.live = true;
    changed();
  });
  stream.addEventListener("error", () => {
    state.live = false; // the browser connects again by itself and says where it was
    changed();
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && poll());
}
