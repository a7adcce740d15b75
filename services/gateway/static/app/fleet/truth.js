// The truth about the fleet beside what the suite noticed of it.

import { html, useMemo, useState } from "../../vendor/htm-preact.js";
import { list } from "../api.js";
import { clock, span } from "../format.js";
import { usePolled } from "../hooks.js";
import { t } from "../i18n.js";
import { foundSince, sources } from "./found.js";
import { kindName } from "./inject.js";
import { compare, VERDICTS } from "./match.js";

const RANGES = { "24h": 86400000, "14d": 14 * 86400000 };
const PAGE = 50;
const REFRESH_MS = 15000;
const COLORS = { matched: "ok", leftAlone: "ok", missed: "critical", falseAlarm: "warning" };
const ARROWS = { rises: "↑", falls: "↓", missing: "∅" };

async function load(length) {
  const now = Date.now();
  const since = now - length;
  const names = await sources();
  const [faults, ...found] = await Promise.all([
    list("/api/v1/fleet/faults", { start: new Date(since).toISOString(), end: new Date(now).toISOString(), cancelled: true }),
    ...names.map((name) => foundSince(name, since, now)),
  ]);
  // What was withdrawn before it began has never been.
  return { now, since, names, faults: faults.filter((fault) => Date.parse(fault.end) > Date.parse(fault.start)), found: found.flat() };
}

// Where a stretch of time stands in the range, for the little timeline of a row.
function Stretch({ kind, from, to, range }) {
  const place = (time) => (100 * Math.min(Math.max(time - range.since, 0), range.now - range.since)) / (range.now - range.since);
  return html`<i class=${`stretch ${kind}`} style=${{ left: `${place(from)}%`, width: `${Math.max(0.6, place(to) - place(from))}%` }}></i>`;
}

function Symptoms({ fault }) {
  const start = Date.parse(fault.start);
  return html`<details><summary>${t("symptoms")} (${fault.symptoms.length})</summary>
    <p lang="en">${fault.root_cause}</p>
    <ol class="symptoms">${fault.symptoms.map((symptom, k) => html`<li key=${k}>
      <span class="muted">+${span(Math.max(0, (Date.parse(symptom.onset) - start) / 1000))}</span> ${symptom.server} ${symptom.metric === "*" ? t("allSeries") : html`<code>${symptom.metric}</code>`} <span title=${t(symptom.direction)}>${ARROWS[symptom.direction]}<span class="unseen"> ${t(symptom.direction)}</span></span>
    </li>`)}</ol></details>`;
}

function Wrong({ fault }) {
  if (!fault) return html`<span class="muted">${t("nothingWrong")}</span>`;
  const seconds = (Date.parse(fault.end) - Date.parse(fault.start)) / 1000;
  return html`<div><strong>${kindName(fault.kind)}</strong> ${fault.harmless && html`<span class="tag">${t("harmless")}</span>`} ${fault.state === "cancelled" && html`<span class="tag">${t("cancelled")}</span>`}</div>
    <div><a href=${`#/server/${encodeURIComponent(fault.server)}`}>${fault.server}</a>${fault.servers.length > 1 && html`<span class="muted" title=${fault.servers.join(", ")}> + ${fault.servers.length - 1}</span>`}
      <span class="muted"> · ${clock(fault.start)} · ${span(seconds)} · ${t("severity")} ${Math.round(fault.severity * 100)}\u00a0%</span></div>
    ${fault.symptoms.length > 0 && html`<${Symptoms} fault=${fault} />`}`;
}

function Found({ row, source }) {
  const found = row.found.filter((one) => one.source === source);
  if (!found.length) return html`<span class="muted">–</span>`;
  return html`<ul class="found">${found.slice(0, 5).map((one) => html`<li key=${one.id}>${one.name} <span class="muted">· ${one.server} · ${row.fault ? `+${span((one.from - Date.parse(row.fault.start)) / 1000)}` : clock(one.from)}</span></li>`)}
    ${found.length > 5 && html`<li class="muted">+ ${found.length - 5}</li>`}</ul>`;
}

function Row({ row, names, range }) {
  return html`<tr class=${`verdict-${row.verdict}`}>
    <td data-head=${t("truth")}><${Wrong} fault=${row.fault} /></td>
    <td class="when" aria-hidden="true"><div class="track">
      ${row.fault && html`<${Stretch} kind=${row.fault.harmless ? "harmless" : "wrong"} from=${Date.parse(row.fault.start)} to=${Date.parse(row.fault.end)} range=${range} />`}
      ${row.found.map((one) => html`<${Stretch} key=${`${one.source}${one.id}`} kind="raised" from=${one.from} to=${one.to} range=${range} />`)}
    </div></td>
    ${names.map((name) => html`<td key=${name} data-head=${t(name)}><${Found} row=${row} source=${name} /></td>`)}
    <td class="verdict"><span class=${`tag ${COLORS[row.verdict] ?? "unknown"}`}>${t(row.verdict)}</span>${row.delay !== null && html` <span class="muted nowrap">${t("after")} ${span(row.delay / 1000)}</span>`}</td>
  </tr>`;
}

export function Truth({ hosts, epoch, changes }) {
  const [length, setLength] = useState("24h");
  const [verdict, setVerdict] = useState("");
  const [shown, setShown] = useState(PAGE);
  const { data, error } = usePolled(() => load(RANGES[length]), REFRESH_MS, [length, changes]);
  const names = hosts.map((host) => host.hostname).join();
  const rows = useMemo(() => {
    if (!data) return [];
    const began = Date.parse(epoch);
    const virtual = new Set([...hosts.map((host) => host.hostname), ...data.faults.flatMap((fault) => fault.servers)]);
    // An alert of an earlier fleet, whose servers had the same names, says nothing of this one.
    const found = data.found.filter((one) => virtual.has(one.server) && one.from >= began);
    return compare(data.faults, found, data.now, began);
  }, [data, names, epoch]);
  const kept = rows.filter((row) => !verdict || row.verdict === verdict);
  return html`<div class="truth">
    <div class="toolbar">
      <div class="counts" role="group" aria-label=${t("range")}>
        ${Object.keys(RANGES).map((key) => html`<button key=${key} class=${`count ${key === length ? "on" : ""}`} aria-pressed=${key === length} onClick=${() => setLength(key)}>${key}</button>`)}
      </div>
      <div class="counts" role="group" aria-label=${t("verdict")}>
        ${VERDICTS.map((name) => [name, rows.filter((row) => row.verdict === name).length]).filter(([name, count]) => count > 0 || name in COLORS)
          .map(([name, count]) => html`<button key=${name} class=${`count ${name === verdict ? "on" : ""}`} aria-pressed=${name === verdict} title=${t(`${name}Means`)} onClick=${() => setVerdict(name === verdict ? "" : name)}>
            <span class=${`dot ${COLORS[name] ?? "unknown"}`} aria-hidden="true"></span>${t(name)} <b>${count}</b></button>`)}
      </div>
    </div>
    <details class="legend-text"><summary>${t("legend")}</summary><dl>${VERDICTS.map((name) => html`<div key=${name}><dt><span class=${`tag ${COLORS[name] ?? "unknown"}`}>${t(name)}</span></dt><dd>${t(`${name}Means`)}</dd></div>`)}</dl></details>
    ${error && html`<p class="note critical" role="alert">${error}</p>`}
    ${!data && !error && html`<p class="empty">${t("loading")}</p>`}
    ${data && !kept.length && html`<p class="empty">${t("noTruth")}</p>`}
    ${kept.length > 0 && html`<div class="card"><table class="beside">
      <thead><tr><th>${t("truth")}</th><th>${t("timeline")} <span class="muted">${length}</span></th>${data.names.map((name) => html`<th key=${name}>${t(name)}</th>`)}<th>${t("verdict")}</th></tr></thead>
      <tbody>${kept.slice(0, shown).map((row) => html`<${Row} key=${row.fault?.id ?? `${row.found[0].source}${row.found[0].id}`} row=${row} names=${data.names} range=${data} />`)}</tbody>
    </table></div>`}
    ${kept.length > shown && html`<button class="small" onClick=${() => setShown(shown + PAGE)}>${t("more")} (${kept.length - shown})</button>`}
  </div>`;
}
