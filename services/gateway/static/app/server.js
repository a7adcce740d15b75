// One server: its figures over time, and what the analysis of them says.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { get, post, rangeOf } from "./api.js";
import { Chart } from "./chart.js";
import { clock, figure } from "./format.js";
import { language, t } from "./i18n.js";
import { useStore } from "./store.js";

const RANGES = { "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800 };
const POINTS = 360;
const REFRESH_MS = 10000;
const ORDER = ["cpu", "memory", "disk", "load", "network", "disk_io", "latency", "swap", "temperature"];
const ANALYSED = ["cpu", "memory", "disk"];

async function load(expressions, seconds) {
  const step = Math.max(10, Math.round(seconds / POINTS / 10) * 10);
  const end = Math.floor(Date.now() / 1000 / step) * step;
  const start = end - Math.floor(seconds / step) * step;
  const entries = await Promise.all(
    Object.entries(expressions).map(async ([metric, expr]) => [metric, await rangeOf(expr, start, end, step)]),
  );
  return trimmed(Object.fromEntries(entries));
}

// Leaves out the time before the first sample, so that a new server's minutes fill the chart.
function trimmed(ranges) {
  const firsts = Object.values(ranges).map(([, values]) => values.findIndex((value) => value !== null)).filter((at) => at >= 0);
  const first = Math.max(0, Math.min(...firsts) - 1);
  return Object.fromEntries(Object.entries(ranges).map(([metric, [times, values]]) => [metric, [times.slice(first), values.slice(first)]]));
}

async function analyse(ranges) {
  const metrics = ANALYSED.filter((metric) => ranges[metric]?.[1].some((value) => value !== null));
  if (!metrics.length) return null;
  const times = ranges[metrics[0]][0];
  const rows = times
    .map((time, k) => ({ timestamp: time, ...Object.fromEntries(metrics.map((metric) => [metric, ranges[metric][1][k]])) }))
    .filter((row) => metrics.every((metric) => row[metric] !== null));
  if (!rows.length) return null;
  const query = language() === "ko" ? "이 서버를 분석해줘" : "analyse this server";
  const answer = await post("/analyze", { query, metrics: rows, lang: language() });
  const marks = Object.fromEntries(metrics.map((metric) => [metric, new Map()]));
  for (const point of answer.anomalies.data) {
    const time = rows[point.index].timestamp;
    for (const { metric, value } of point.deviations) marks[metric]?.set(time, value);
  }
  return { answer, marks };
}

function Analysis({ result }) {
  if (!result) return html`<p class="empty">${t("analyzing")}</p>`;
  const { anomalies, recommendations, analysis } = result.answer;
  return html`<div class="card analysis">
    <h2>${t("analysis")} <span class=${`tag ${anomalies.severity}`}>${anomalies.count > 0 ? `${t("unusual")}: ${anomalies.count}` : t("noUnusual")}</span></h2>
    <p>${analysis}</p>
    ${recommendations.length > 0 && html`<ul>${recommendations.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
    ${anomalies.data.length > 0 &&
    html`<div class="scroll"><table>
      <thead><tr><th>${t("at")}</th><th>${t("claim")}</th><th>${t("expected")}</th></tr></thead>
      <tbody>${anomalies.data.slice(-20).reverse().flatMap((point) =>
        point.deviations.map((d) => html`<tr key=${`${point.index}${d.metric}`}>
          <td>${clock(point.timestamp)}</td><td>${t(d.metric)} ${figure(d.metric, d.value)}</td>
          <td>${figure(d.metric, d.expected_low)} … ${figure(d.metric, d.expected_high)}</td></tr>`),
      )}</tbody></table></div>`}
  </div>`;
}

export function Server({ name }) {
  const { servers } = useStore();
  const [range, setRange] = useState("1h");
  const [item, setItem] = useState(null);
  const [ranges, setRanges] = useState(null);
  const [result, setResult] = useState(null);
  const [error, setError] = useState("");
  useEffect(() => {
    let current = true;
    let timer = 0;
    setRanges(null);
    setResult(null);
    const refresh = async (first) => {
      try {
        const server = await get(`/api/v1/servers/${encodeURIComponent(name)}`);
        const loaded = await load(server.expressions, RANGES[range]);
        if (!current) return;
        setItem(server);
        setRanges(loaded);
        setError("");
        if (first) {
          const analysed = await analyse(loaded);
          if (current) setResult(analysed);
        }
      } catch (problem) {
        if (current) setError(problem.message);
      }
      if (current) timer = setTimeout(() => refresh(false), REFRESH_MS);
    };
    refresh(true);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [name, range, language()]);
  const live = servers.get(name) ?? item;
  const metrics = ORDER.filter((metric) => ranges?.[metric]);
  return html`<section>
    <div class="toolbar">
      <a href="#/">← ${t("back")}</a>
      <h1>${live && html`<span class=${`dot ${live.health}`} aria-hidden="true"></span>`} ${name} <span class="role">${live?.role ?? ""}</span></h1>
      <div class="counts" role="group" aria-label=${t("range")}>
        ${Object.keys(RANGES).map((key) => html`<button key=${key} class=${`count ${key === range ? "on" : ""}`} aria-pressed=${key === range} onClick=${() => setRange(key)}>${key}</button>`)}
      </div>
    </div>
    ${live?.reasons?.length > 0 && html`<p class=${`note ${live.health}`}>${live.reasons.join("; ")}</p>`}
    ${live && html`<p class="labels">${Object.entries(live.labels ?? {}).map(([key, value]) => html`<code key=${key}>${key}=${value}</code>`)}</p>`}
    ${error && html`<p class="note critical" role="alert">${error}</p>`}
    ${!ranges && !error && html`<p class="empty">${t("loading")}</p>`}
    <div class="charts">
      ${metrics.map((metric) => {
        const [times, values] = ranges[metric];
        const marked = times.map((time) => result?.marks[metric]?.get(time) ?? null);
        return html`<${Chart} key=${metric} metric=${metric} data=${[times, values, marked]} />`;
      })}
    </div>
    ${ranges && html`<${Analysis} result=${result} />`}
  </section>`;
}
