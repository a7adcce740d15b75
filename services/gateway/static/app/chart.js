// One figure over time, with the points that are unusual marked.

import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import uPlot from "../vendor/uplot.js";
import { figure, scaled, UNITS } from "./format.js";
import { language, t } from "./i18n.js";

const HEIGHT = 190;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(metric, width) {
  const percent = UNITS[metric] === "%";
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const time = new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hour12: false });
  return {
    width,
    height: HEIGHT,
    cursor: { sync: { key: "server" } },
    legend: { live: true },
    scales: { y: { range: percent ? [0, 100] : (_plot, low, high) => (low === null ? [0, 1] : [Math.min(0, low), high <= 0 ? 1 : high * 1.1]) } },
    axes: [
      { ...axis, values: (_plot, ticks) => ticks.map((tick) => time.format(new Date(tick * 1000))) },
      { ...axis, size: 64, values: (_plot, ticks) => ticks.map((tick) => (UNITS[metric] === "B/s" ? scaled(tick) : `${tick}${percent ? " %" : ""}`)) },
    ],
    series: [
      { label: t("at"), value: (_plot, seconds) => (seconds === null ? "–" : time.format(new Date(seconds * 1000))) },
      { label: t(metric), stroke: color("--accent"), width: 1.5, fill: color("--accent-soft"), value: (_plot, value) => figure(metric, value), points: { show: false } },
      {
        label: t("unusual"), stroke: color("--critical"), value: (_plot, value) => figure(metric, value), paths: () => null,
        points: { show: true, size: 8, fill: color("--critical") },
      },
    ],
  };
}

// data: [times in seconds, values, values where unusual], null where there is none.
export function Chart({ metric, data }) {
  const holder = useRef(null);
  const plot = useRef(null);
  useEffect(() => {
    const element = holder.current;
    plot.current = new uPlot(options(metric, element.clientWidth || 400), data, element);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [metric, language()]);
  useEffect(() => plot.current?.setData(data), [data]);
  const last = data[1].findLast((value) => value !== null);
  return html`<figure class="card chart">
    <figcaption><strong>${t(metric)}</strong><span>${last === undefined ? t("noData") : figure(metric, last)}</span></figcaption>
    <div ref=${holder}></div>
  </figure>`;
}
