// One figure in percent as a bar, in the colour of the health that it gives.

import { html } from "../vendor/htm-preact.js";
import { figure } from "./format.js";
import { t } from "./i18n.js";

const LEVELS = { cpu: [80, 95], memory: [85, 95], disk: [85, 95] }; // as the metrics service judges health

function level(metric, value) {
  const [warning, critical] = LEVELS[metric];
  return value >= critical ? "critical" : value >= warning ? "warning" : "ok";
}

export function Bar({ metric, value }) {
  const known = value !== undefined;
  return html`<div class="bar" title=${`${t(metric)} ${figure(metric, value)}`}>
    <span class="bar-name">${t(metric)}</span>
    <span class="bar-track" role="meter" aria-label=${t(metric)} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${known ? value.toFixed(1) : undefined}
      aria-valuetext=${known ? figure(metric, value) : t("noData")}>
      ${known && html`<span class=${`bar-fill ${level(metric, value)}`} style=${{ width: `${Math.min(100, Math.max(0, value))}%` }}></span>`}
    </span>
    <span class="bar-value">${figure(metric, value)}</span>
  </div>`;
}
