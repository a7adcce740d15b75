// Who depends on whom, drawn; the arrow keys walk through it, and beside it stands the same as a list.

import { html, useEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { t } from "../i18n.js";
import { specText } from "./groups.js";
import { graphOf, place } from "./layout.js";

const SITE_COLORS = 6;

function useWidth() {
  const holder = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(holder.current.clientWidth));
    observer.observe(holder.current);
    return () => observer.disconnect();
  }, []);
  return [holder, width];
}

function neighbours(edges, key) {
  return {
    calls: edges.filter((edge) => edge.from === key).map((edge) => edge.to),
    calledBy: edges.filter((edge) => edge.to === key).map((edge) => edge.from),
  };
}

function described(node, edges) {
  const { calls, calledBy } = neighbours(edges, node.key);
  const names = (keys) => keys.join(", ") || t("none");
  return `${node.key}, ${t(node.health)}. ${t("calls")}: ${names(calls)}. ${t("calledBy")}: ${names(calledBy)}.`;
}

// The key that an arrow leads to: along the line, or to the node of the next line that stands closest.
function stepped(drawing, key, arrow) {
  const row = drawing.lines.findIndex((line) => line.includes(key));
  const at = drawing.lines[row].indexOf(key);
  if (arrow === "ArrowLeft" || arrow === "ArrowRight") return drawing.lines[row][at + (arrow === "ArrowLeft" ? -1 : 1)] ?? key;
  const next = drawing.lines[row + (arrow === "ArrowUp" ? -1 : 1)];
  if (!next) return key;
  const xOf = (name) => drawing.nodes.find((node) => node.key === name).x;
  return next.reduce((best, name) => (Math.abs(xOf(name) - xOf(key)) < Math.abs(xOf(best) - xOf(key)) ? name : best));
}

function Node({ node, single, site, state, tabIndex, label, on }) {
  const bad = node.servers.filter((server) => server.health !== "ok").length;
  const text = single ? node.key : node.role;
  return html`<g class=${`node ${node.health} ${state}`} transform=${`translate(${node.x} ${node.y})`} tabindex=${tabIndex} role="button" aria-label=${label}
    aria-pressed=${state === "chosen"} data-key=${node.key} ...${on}>
    <title>${label}</title>
    <rect class="node-box" width=${node.width} height=${node.height} rx="7" />
    <rect class=${`node-site site-${site}`} x="0" y="7" width="4" height=${node.height - 14} />
    <circle class="node-dot" cx="16" cy=${single ? node.height / 2 : 16} r="4.5" />
    <text x="27" y=${single ? node.height / 2 + 4 : 20}>${text.length > 19 ? `${text.slice(0, 18)}…` : text}</text>
    ${!single && html`<text class="node-more" x="27" y="37">${node.site} · ${node.servers.length}${bad > 0 ? ` · ${bad} ${t("notOk")}` : ""}</text>`}
  </g>`;
}

function Chosen({ node, single, edges, onFault }) {
  if (!node) return html`<p class="chosen hint">${t("graphHint")}</p>`;
  const { calls, calledBy } = neighbours(edges, node.key);
  const [host] = node.servers;
  return html`<div class="chosen">
    <p><span class=${`dot ${node.health}`} aria-hidden="true"></span> ${single ? html`<a href=${`#/server/${encodeURIComponent(node.key)}`}><strong>${node.key}</strong></a>` : html`<strong>${node.key}</strong>`}
      <span>${t(node.health)} · ${single ? `${host.role} · ${host.site} · ${specText(host.spec)}` : `${node.servers.length} ${t("hosts")}`}</span>
      ${single && onFault && html`<button class="small" aria-haspopup="dialog" onClick=${() => onFault(host)}>${t("fault")}</button>`}</p>
    <p><span class="muted">${t("calls")}</span> ${calls.join(", ") || t("none")}</p>
    <p><span class="muted">${t("calledBy")}</span> ${calledBy.join(", ") || t("none")}</p>
  </div>`;
}

export function Graph({ hosts, onFault }) {
  const [holder, width] = useWidth();
  const [hovered, setHovered] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [reached, setReached] = useState(null); // what the Tab key comes to
  // Healths change every few seconds, places do not.
  const look = hosts.map((host) => `${host.hostname}=${host.health}`).join();
  const drawing = useMemo(() => (width ? place(graphOf(hosts), width) : null), [look, width]);
  const sites = [...new Set(hosts.map((host) => host.site))].sort();
  const active = hovered ?? chosen;
  const first = drawing?.lines[0]?.[0];
  const tabStop = drawing?.nodes.some((node) => node.key === reached) ? reached : first;
  const near = new Set(active && drawing ? drawing.edges.filter((edge) => edge.from === active || edge.to === active).flatMap((edge) => [edge.from, edge.to]) : []);
  const onKey = (event) => {
    const key = event.currentTarget.dataset.key;
    if (event.key === "Enter" || event.key === " ") setChosen(chosen === key ? null : key);
    else if (event.key === "Escape") setChosen(null);
    else if (event.key.startsWith("Arrow")) {
      const next = stepped(drawing, key, event.key);
      [...holder.current.querySelectorAll(".node")].find((element) => element.dataset.key === next)?.focus();
    } else return;
    event.preventDefault();
  };
  const on = {
    onMouseEnter: (event) => setHovered(event.currentTarget.dataset.key),
    onMouseLeave: () => setHovered(null),
    onFocus: (event) => {
      setReached(event.currentTarget.dataset.key);
      setHovered(event.currentTarget.dataset.key);
    },
    onBlur: () => setHovered(null),
    onClick: (event) => {
      const { key } = event.currentTarget.dataset;
      setChosen(chosen === key ? null : key);
    },
    onKeyDown: onKey,
  };
  const stateOf = (key) => (key === chosen ? "chosen" : !active || key === active || near.has(key) ? "" : "far");
  return html`<div class="graph">
    <div class="card">
      <p class="legend">${sites.map((site, k) => html`<span key=${site}><i class=${`swatch site-${k % SITE_COLORS}`} aria-hidden="true"></i>${site}</span>`)}<span class="muted">${t("graphOrder")}</span></p>
      <div ref=${holder} class="drawing">
        ${drawing && html`<svg width=${width} height=${drawing.height} viewBox=${`0 0 ${width} ${drawing.height}`} role="group" aria-label=${t("dependencies")}>
          <g aria-hidden="true">${drawing.edges.map((edge) => {
            const lit = active && (edge.from === active || edge.to === active);
            return html`<path key=${`${edge.from} ${edge.to}`} class=${`edge ${lit ? "on" : active ? "off" : ""}`} d=${edge.path} />`;
          })}</g>
          ${drawing.nodes.map((node) => html`<${Node} key=${node.key} node=${node} single=${drawing.single} site=${sites.indexOf(node.site) % SITE_COLORS}
            state=${stateOf(node.key)} tabIndex=${node.key === tabStop ? 0 : -1} label=${described(node, drawing.edges)} on=${on} />`)}
        </svg>`}
      </div>
      ${drawing && html`<${Chosen} node=${drawing.nodes.find((node) => node.key === (chosen ?? active))} single=${drawing.single} edges=${drawing.edges} onFault=${onFault} />`}
    </div>
    ${drawing && html`<details class="card"><summary>${t("asList")} (${drawing.edges.length})</summary><div class="scroll"><table>
      <thead><tr><th>${t("caller")}</th><th>${t("calls")}</th>${!drawing.single && html`<th>${t("count")}</th>`}</tr></thead>
      <tbody>${drawing.edges.map((edge) => html`<tr key=${`${edge.from} ${edge.to}`}><td>${edge.from}</td><td>${edge.to}</td>${!drawing.single && html`<td>${edge.count}</td>`}</tr>`)}</tbody>
    </table></div></details>`}
  </div>`;
}
