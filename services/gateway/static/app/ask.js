// The question box: the answer, and each figure with the query that gives it again.

import { html, useState } from "../vendor/htm-preact.js";
import { post, valueAt } from "./api.js";
import { clock, figure } from "./format.js";
import { t } from "./i18n.js";

const UNIT_SIGNS = { servers: "", processes: "", celsius: "°C", milliseconds: "ms", seconds: "s", bytes: "B", bytes_per_second: "B/s" };

function EvidenceRow({ item }) {
  const [again, setAgain] = useState(null);
  const run = async () => {
    try {
      const value = await valueAt(item.expr, item.time);
      const same = value !== null && Math.abs(value - item.value) <= 1e-9 * Math.max(1, Math.abs(item.value));
      setAgain(same ? `✓ ${t("sameValue")}` : `${t("otherValue")}: ${value ?? t("noData")}`);
    } catch (problem) {
      setAgain(problem.message);
    }
  };
  const value = item.unit === "percent" ? figure("cpu", item.value) : [figure("", item.value), UNIT_SIGNS[item.unit] ?? item.unit].filter(Boolean).join(" ");
  return html`<tr>
    <td>${item.claim}</td>
    <td><code>${item.expr}</code></td>
    <td class="nowrap">${clock(item.time ?? item.end)}</td>
    <td class="nowrap" title=${item.value}>${value}</td>
    <td class="nowrap">${item.time && html`<button class="small" onClick=${run}>${t("rerun")}</button>`} <span aria-live="polite">${again}</span></td>
  </tr>`;
}

function Answer({ answer, onClose }) {
  return html`<div class="card answer" role="region" aria-live="polite" lang=${answer.lang}>
    <button class="close small" aria-label=${t("close")} onClick=${onClose}>×</button>
    <p class="response">${answer.response}</p>
    ${answer.recommendations.length > 0 && html`<ul>${answer.recommendations.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
    ${answer.evidence.length > 0 &&
    html`<details>
      <summary>${t("evidence")} (${answer.evidence.length})</summary>
      <div class="scroll"><table>
        <thead><tr><th>${t("claim")}</th><th>${t("query")}</th><th>${t("at")}</th><th>${t("value")}</th><th></th></tr></thead>
        <tbody>${answer.evidence.map((item, k) => html`<${EvidenceRow} key=${k} item=${item} />`)}</tbody>
      </table></div>
    </details>`}
    <p class="hint">${t("engine")}: ${answer.metadata.engine ?? t("none")} · ${answer.interpretation.intent} · ${Math.round(answer.metadata.processing_time_ms)} ms</p>
  </div>`;
}

export function Ask() {
  const [query, setQuery] = useState("");
  const [state, setState] = useState({});
  const submit = async (event) => {
    event.preventDefault();
    if (!query.trim() || state.busy) return;
    setState({ busy: true });
    try {
      const tz = Intl.DateTimeFormat().resolvedOptions().timeZone;
      setState({ answer: await post("/api/v1/ask", { query: query.trim(), tz }) });
    } catch (problem) {
      setState({ error: problem.message });
    }
  };
  return html`<section class="ask" aria-label=${t("askLabel")}>
    <form onSubmit=${submit} role="search">
      <input type="text" maxlength="2000" placeholder=${t("askHint")} aria-label=${t("askLabel")} value=${query} onInput=${(event) => setQuery(event.target.value)} />
      <button type="submit" disabled=${state.busy}>${state.busy ? t("asking") : t("ask")}</button>
    </form>
    ${state.error && html`<p class="note critical" role="alert">${t("failed")}: ${state.error}</p>`}
    ${state.answer && html`<${Answer} key=${state.answer.response} answer=${state.answer} onClose=${() => setState({})} />`}
  </section>`;
}
