// Faults that are under way or still to come, with the time that they have left.

import { html, useState } from "../../vendor/htm-preact.js";
import { remove } from "../api.js";
import { clock, span } from "../format.js";
import { t } from "../i18n.js";
import { kindName } from "./inject.js";

const SHOWN = 6;

function Item({ fault, mayOperate, onCancel }) {
  const [start, end, now] = [Date.parse(fault.start), Date.parse(fault.end), Date.now()];
  const active = fault.state === "active";
  const share = Math.min(1, Math.max(0, (now - start) / (end - start)));
  return html`<li class=${`card fault ${fault.harmless ? "harmless" : ""}`} data-fault=${fault.id}>
    <div class="fault-head"><strong>${kindName(fault.kind)}</strong> ${fault.harmless && html`<span class="tag">${t("harmless")}</span>`}
      <span class="role">${Math.round(fault.severity * 100)} %</span></div>
    <div><a href=${`#/server/${encodeURIComponent(fault.server)}`}>${fault.server}</a>
      <span class="muted"> · ${active ? `${t("timeLeft")} ${span(Math.max(0, (end - now) / 1000))}` : `${t("startsAt")} ${clock(fault.start)}`}</span></div>
    <div class="fault-foot"><progress max="1" value=${active ? share : 0} aria-label=${t("timeLeft")}></progress>
      ${mayOperate && fault.source === "injected" && html`<button class="small" aria-label=${`${t("cancelFault")}: ${kindName(fault.kind)}, ${fault.server}`} onClick=${() => onCancel(fault.id)}>${t("cancelFault")}</button>`}
      ${fault.source !== "injected" && html`<span class="muted">${t("scenario")} ${fault.source}</span>`}</div>
  </li>`;
}

export function Running({ faults, mayOperate, onChanged }) {
  const [error, setError] = useState("");
  const [all, setAll] = useState(false);
  const cancel = async (id) => {
    try {
      await remove(`/api/v1/fleet/faults/${encodeURIComponent(id)}`);
      setError("");
    } catch (problem) {
      setError(problem.message);
    }
    onChanged();
  };
  const open = (faults ?? []).filter((fault) => fault.state === "active" || fault.state === "scheduled");
  const order = [...open].sort((a, b) => (a.state === b.state ? Date.parse(a.start) - Date.parse(b.start) : a.state === "active" ? -1 : 1));
  const active = open.filter((fault) => fault.state === "active").length;
  if (!faults) return null;
  return html`<section class="running" aria-label=${t("running")}>
    <h2 class="first">${t("running")} <b>${active}</b>${open.length > active ? html` <span class="muted">+ ${open.length - active} ${t("planned")}</span>` : ""}</h2>
    ${error && html`<p class="note critical" role="alert">${error}</p>`}
    ${!open.length && html`<p class="hint">${t("noFaults")}</p>`}
    <ul class="faults">${(all ? order : order.slice(0, SHOWN)).map((fault) => html`<${Item} key=${fault.id} fault=${fault} mayOperate=${mayOperate} onCancel=${cancel} />`)}</ul>
    ${open.length > SHOWN && html`<button class="small" onClick=${() => setAll(!all)}>${all ? t("less") : `${t("more")} (${open.length - SHOWN})`}</button>`}
  </section>`;
}
