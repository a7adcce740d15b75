// All servers at a glance.

import { html, useState } from "../vendor/htm-preact.js";
import { Bar } from "./bar.js";
import { ago } from "./format.js";
import { t } from "./i18n.js";
import { useStore } from "./store.js";

const HEALTHS = ["critical", "warning", "unknown", "ok"];
const BARS = ["cpu", "memory", "disk"];

const SORTS = {
  health: (a, b) => HEALTHS.indexOf(a.health) - HEALTHS.indexOf(b.health),
  name: () => 0,
  cpu: (a, b) => (b.metrics.cpu ?? -1) - (a.metrics.cpu ?? -1),
  memory: (a, b) => (b.metrics.memory ?? -1) - (a.metrics.memory ?? -1),
  disk: (a, b) => (b.metrics.disk ?? -1) - (a.metrics.disk ?? -1),
};

function Card({ server, now }) {
  return html`<a class=${`card server ${server.health}`} href=${`#/server/${encodeURIComponent(server.server)}`} title=${server.reasons?.join("; ")}>
    <div class="server-head">
      <span class=${`dot ${server.health}`} aria-hidden="true"></span>
      <strong>${server.server}</strong>
      <span class="role">${server.role ?? ""}</span>
    </div>
    ${BARS.map((metric) => html`<${Bar} key=${metric} metric=${metric} value=${server.metrics[metric]} />`)}
    <div class="server-foot"><span>${t(server.health)}</span><span>${server.last_seen ? ago(server.last_seen, now) : ""}</span></div>
  </a>`;
}

export function Servers() {
  const { servers, loaded } = useStore();
  const [filter, setFilter] = useState("");
  const [sort, setSort] = useState("health");
  const [health, setHealth] = useState("");
  const all = [...servers.values()];
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (s) => [s.server, s.role, ...Object.entries(s.labels ?? {}).map(([k, v]) => `${k}=${v}`)].join(" ").toLowerCase();
  const shown = all
    .filter((server) => (!health || server.health === health) && words.every((word) => text(server).includes(word)))
    .sort((a, b) => SORTS[sort](a, b) || a.server.localeCompare(b.server, undefined, { numeric: true }));
  const now = new Date();
  return html`<section aria-label=${t("servers")}>
    <div class="toolbar">
      <div class="counts" role="group" aria-label=${t("health")}>
        <button class=${`count ${health === "" ? "on" : ""}`} aria-pressed=${health === ""} onClick=${() => setHealth("")}>${t("all")} <b>${all.length}</b></button>
        ${[...HEALTHS].reverse().map(
          (name) => html`<button key=${name} class=${`count ${health === name ? "on" : ""}`} aria-pressed=${health === name} onClick=${() => setHealth(health === name ? "" : name)}>
            <span class=${`dot ${name}`} aria-hidden="true"></span>${t(name)} <b>${all.filter((s) => s.health === name).length}</b>
          </button>`,
        )}
      </div>
      <input type="search" placeholder=${t("search")} aria-label=${t("search")} value=${filter} onInput=${(event) => setFilter(event.target.value)} />
      <label class="inline">${t("sort")}
        <select value=${sort} onChange=${(event) => setSort(event.target.value)}>
          ${Object.keys(SORTS).map((name) => html`<option key=${name} value=${name}>${t(name)}</option>`)}
        </select>
      </label>
    </div>
    ${!shown.length && html`<p class="empty">${!loaded ? t("loading") : all.length ? t("noMatch") : t("noServers")}</p>`}
    <div class="grid">${shown.map((server) => html`<${Card} key=${server.server} server=${server} now=${now} />`)}</div>
  </section>`;
}
