// One figure over time, with the points that are unusual marked.

import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import uPlot from "../vendor/uplot.js";
import { clock, figure, scaled, UNITS } from "./format.js";
import { language, t } from "./i18n.js";

const HEIGHT = 170;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(metric, width, onCursor) {
  const percent = UNITS[metric] === "%";
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const time = new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hour12: false });
  return {
    width,
    height: HEIGHT,
    cursor: { sync: { key: "server" } },
    legend: { show: false },
    hooks: { setCursor: [onCursor] },
    scales: { y: { range: percent ? [0, 100] : (_plot, low, high) => (low === null ? [0, 1] : [Math.min(0, low), high <= 0 ? 1 : high * 1.1]) } },
    axes: [
      { ...axis, size: 28, values: (_plot, ticks) => ticks.map((tick) => time.format(new Date(tick * 1000))) },
      { ...axis, size: 64, values: (_plot, ticks) => ticks.map((tick) => (UNITS[metric] === "B/s" ? scaled(tick) : `${tick}${percent ? " %" : ""}`)) },
    ],
    series: [
      {},
      { stroke: color("--accent"), width: 1.5, fill: color("--accent-soft"), points: { show: false } },
      { stroke: color("--critical"), paths: () => null, points: { show: true, size: 8, fill: color("--critical") } },
    ],
  };
}

// data: [times in seconds, values, values where unusual], null where there is none.
export function Chart({ metric, data }) {
  const holder = useRef(null);
  const plot = useRef(null);
  const shown = useRef(null);
  useEffect(() => {
    const element = holder.current;
    // What the cursor is on, or else the newest value.
    const onCursor = ({ cursor, data: [times, values, unusual] }) => {
      const at = cursor.idx ?? values.findLastIndex((value) => value !== null);
      const text = at < 0 ? t("noData") : figure(metric, values[at]);
      const when = cursor.idx === null || cursor.idx === undefined ? "" : `${clock(times[at] * 1000)}${unusual[at] === null ? "" : ` · ${t("unusual")}`} · `;
      shown.current.textContent = when + text;
    };
    plot.current = new uPlot(options(metric, element.clientWidth || 400, onCursor), data, element);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [metric, language()]);
  useEffect(() => {
    plot.current.setData(data);
    plot.current.hooks.setCursor.forEach((describe) => describe(plot.current));
  }, [data]);
  return html`<figure class="card chart">
    <figcaption><strong>${t(metric)}</strong><span ref=${shown}></span></figcaption>
    <div ref=${holder}></div>
  </figure>`;
}
