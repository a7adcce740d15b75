// The servers of the fleet by role or by site, each group a list that opens in pages.

import { html, useState } from "../../vendor/htm-preact.js";
import { Bar } from "../bar.js";
import { size } from "../format.js";
import { t } from "../i18n.js";

const PAGE = 50;
const ALL_OPEN = 200; // of a larger fleet, groups are closed until somebody opens one
const FIGURES = ["cpu", "memory", "disk"];
const TROUBLES = ["critical", "warning", "unknown"];

export function specText({ cores, memory_bytes, disk_bytes }) {
  return `${cores} ${t("cores")} · ${size(memory_bytes)} · ${size(disk_bytes)}`;
}

function Host({ host, other, onFault }) {
  return html`<li class="host">
    <a class="host-name" href=${`#/server/${encodeURIComponent(host.hostname)}`} title=${host.reasons.join("; ")}>
      <span class=${`dot ${host.health}`} role="img" aria-label=${t(host.health)}></span><strong>${host.hostname}</strong>
    </a>
    <span class="host-other">${host[other]}</span>
    ${FIGURES.map((metric) => html`<${Bar} key=${metric} metric=${metric} value=${host.metrics[metric]} />`)}
    <span class="host-spec">${specText(host.spec)}</span>
    ${onFault && html`<button class="small host-fault" aria-haspopup="dialog" aria-label=${`${t("fault")}: ${host.hostname}`} onClick=${() => onFault(host)}>${t("fault")}</button>`}
  </li>`;
}

function Group({ name, hosts, other, open, onToggle, onFault }) {
  const [shown, setShown] = useState(PAGE);
  const id = `group-${name}`;
  return html`<section class="card group">
    <h2><button class="group-head" aria-expanded=${open} aria-controls=${id} onClick=${onToggle}>
      <span class="turn" aria-hidden="true">${open ? "▾" : "▸"}</span><span class="group-name">${name}</span><b>${hosts.length}</b>
      ${TROUBLES.map((health) => [health, hosts.filter((host) => host.health === health).length]).filter(([, count]) => count > 0)
        .map(([health, count]) => html`<span key=${health} class=${`tag ${health}`}>${count} ${t(health)}</span>`)}
    </button></h2>
    ${open && html`<ul id=${id} class="hosts">${hosts.slice(0, shown).map((host) => html`<${Host} key=${host.hostname} host=${host} other=${other} onFault=${onFault} />`)}</ul>`}
    ${open && hosts.length > shown && html`<button class="small" onClick=${() => setShown(shown + PAGE)}>${t("more")} (${hosts.length - shown})</button>`}
  </section>`;
}

export function Groups({ hosts, onFault }) {
  const [by, setBy] = useState("role");
  const [filter, setFilter] = useState("");
  const [toggled, setToggled] = useState({}); // by group: whether it is open, where somebody has said so
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = hosts.filter((host) => words.every((word) => `${host.hostname} ${host.role} ${host.site} ${host.health}`.toLowerCase().includes(word)));
  const groups = new Map();
  for (const host of found) {
    if (!groups.has(host[by])) groups.set(host[by], []);
    groups.get(host[by]).push(host);
  }
  const openAtFirst = found.length <= ALL_OPEN;
  const byName = (a, b) => a.hostname.localeCompare(b.hostname, undefined, { numeric: true });
  return html`<div class="groups">
    <div class="toolbar">
      <div class="counts" role="group" aria-label=${t("groupBy")}>
        ${["role", "site"].map((key) => html`<button key=${key} class=${`count ${by === key ? "on" : ""}`} aria-pressed=${by === key} onClick=${() => setBy(key)}>${t(key)}</button>`)}
      </div>
      <input type="search" placeholder=${t("searchHosts")} aria-label=${t("searchHosts")} value=${filter} onInput=${(event) => setFilter(event.target.value)} />
    </div>
    ${!found.length && html`<p class="empty">${t("noMatch")}</p>`}
    ${[...groups].map(([name, members]) => {
      const key = `${by} ${name}`;
      const open = toggled[key] ?? openAtFirst;
      return html`<${Group} key=${key} name=${name} hosts=${members.sort(byName)} other=${by === "role" ? "site" : "role"} open=${open}
        onToggle=${() => setToggled({ ...toggled, [key]: !open })} onFault=${onFault} />`;
    })}
  </div>`;
}
