// What the suite noticed by itself: alerts that fired and, where the API has them, anomalies.

import { get } from "../api.js";

const PAGE = 500;
const MOST = 4000;

const SOURCES = {
  alerts: {
    path: "/api/v1/alerts",
    // A condition that has not held for long enough has not been raised yet.
    read: (alert) => alert.fired_at && { name: alert.rule, server: alert.labels.server, from: alert.fired_at, to: alert.ends_at },
  },
  anomalies: {
    path: "/api/v1/anomalies",
    read: (anomaly) => ({ name: anomaly.metric, server: anomaly.server, from: anomaly.started_at, to: anomaly.ends_at }),
  },
};

let known = null; // the sources that this API has; asked for once

export async function sources() {
  known ??= get("/openapi.json").then(({ paths }) => Object.keys(SOURCES).filter((name) => SOURCES[name].path in paths));
  try {
    return await known;
  } catch (problem) {
    known = null;
    throw problem;
  }
}

// Everything of a source that began after a time in ms: [{source, id, name, server, from, to}], times in ms, the latest first.
export async function foundSince(source, since, now) {
  const { path, read } = SOURCES[source];
  const found = [];
  let token = "";
  do {
    const page = await get(path, { page_size: PAGE, ...(token ? { page_token: token } : {}) });
    for (const item of page.items) {
      const one = read(item);
      if (!one?.server) continue;
      const [from, to] = [Date.parse(one.from), one.to ? Date.parse(one.to) : now];
      if (from >= since) found.push({ ...one, source, id: item.id, from, to });
    }
    // Lists begin with what is newest, so a page that is older as a whole is the last one that matters.
    const last = page.items.at(-1);
    token = last && Date.parse(last.started_at) >= since ? page.next_page_token : null;
  } while (token && found.length < MOST);
  return found;
}
