// Lets a fault befall a server: it opens with the severity and length that are usual, so that choosing the kind is all there is to do.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { post } from "../api.js";
import { span } from "../format.js";
import { t, told } from "../i18n.js";

const LENGTHS = [300, 900, 3600, 21600, 86400];
const USUAL = { severity: 0.7, seconds: 900 };

export const kindName = (name) => told(`kind_${name}`, name);
export const kindText = (kind) => told(`about_${kind.name}`, kind.description);

function Kinds({ title, kinds, busy, onPick }) {
  if (!kinds.length) return null;
  return html`<h3>${title}</h3>
    <ul class="kinds">${kinds.map((kind) => html`<li key=${kind.name}>
      <button data-kind=${kind.name} disabled=${busy} onClick=${() => onPick(kind.name)}><strong>${kindName(kind.name)}</strong><span>${kindText(kind)}</span></button>
    </li>`)}</ul>`;
}

export function Inject({ host, kinds, onClose, onInjected }) {
  const dialog = useRef(null);
  const [severity, setSeverity] = useState(USUAL.severity);
  const [seconds, setSeconds] = useState(USUAL.seconds);
  const [state, setState] = useState({});
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  const pick = async (kind) => {
    setState({ busy: true });
    try {
      await post("/api/v1/fleet/faults", { kind, server: host.hostname, duration_seconds: seconds, severity });
      onInjected();
      dialog.current.close();
    } catch (problem) {
      setState({ error: problem.message });
    }
  };
  const fits = (kind) => kind.roles.includes(host.role);
  const real = kinds.filter((kind) => !kind.harmless);
  return html`<dialog ref=${dialog} class="card inject" aria-labelledby="inject-title" onClose=${onClose} onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
    <div class="inject-body">
      <div class="inject-head"><h2 id="inject-title">${t("faultOn")} ${host.hostname} <span class="role">${host.role}</span></h2>
        <button class="small" aria-label=${t("close")} onClick=${() => dialog.current.close()}>×</button></div>
      <div class="inject-how">
        <label>${t("severity")} <output>${Math.round(severity * 100)} %</output>
          <input type="range" min="0.1" max="1" step="0.1" value=${severity} onInput=${(event) => setSeverity(Number(event.target.value))} /></label>
        <label>${t("duration")}
          <select value=${seconds} onChange=${(event) => setSeconds(Number(event.target.value))}>${LENGTHS.map((length) => html`<option key=${length} value=${length}>${span(length)}</option>`)}</select></label>
      </div>
      ${state.error && html`<p class="note critical" role="alert">${state.error}</p>`}
      <${Kinds} title=${t("fitsRole")} kinds=${real.filter(fits)} busy=${state.busy} onPick=${pick} />
      <${Kinds} title=${t("otherKinds")} kinds=${real.filter((kind) => !fits(kind))} busy=${state.busy} onPick=${pick} />
      <${Kinds} title=${t("harmlessKinds")} kinds=${kinds.filter((kind) => kind.harmless)} busy=${state.busy} onPick=${pick} />
    </div>
  </dialog>`;
}
