// Numbers and times as people read them.

import { language } from "./i18n.js";

export const UNITS = {
  cpu: "%", memory: "%", disk: "%", swap: "%", load: "", network: "B/s", disk_io: "B/s", latency: "ms", temperature: "°C",
};

export function figure(metric, value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  const unit = UNITS[metric] ?? "";
  if (unit === "B/s") return `${scaled(value)}B/s`;
  const digits = !unit && Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${unit === "%" ? " %" : unit ? ` ${unit}` : ""}`;
}

export function scaled(value) {
  const steps = ["", "k", "M", "G", "T"];
  let step = 0;
  while (Math.abs(value) >= 1000 && step < steps.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${value.toFixed(Math.abs(value) < 10 && step ? 1 : 0)} ${steps[step]}`;
}

// Sizes of memory and disks.
export function size(bytes) {
  const steps = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (bytes >= 1024 && step < steps.length - 1) {
    bytes /= 1024;
    step += 1;
  }
  return `${bytes.toFixed(bytes < 10 && !Number.isInteger(bytes) ? 1 : 0)} ${steps[step]}`;
}

// A length of time in its largest fitting unit.
export function span(seconds) {
  const [amount, unit] =
    seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129600 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  const digits = unit === "hour" || unit === "day" ? 1 : 0;
  return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }).format(amount);
}

export function clock(time) {
  if (!time) return "";
  const when = new Date(time);
  const sameDay = when.toDateString() === new Date().toDateString();
  const form = sameDay ? { timeStyle: "medium" } : { dateStyle: "short", timeStyle: "medium" };
  return new Intl.DateTimeFormat(language(), form).format(when);
}

export function ago(time, now) {
  const seconds = Math.max(0, Math.round((now - new Date(time)) / 1000));
  const [amount, unit] =
    seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129600 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  return new Intl.RelativeTimeFormat(language(), { style: "narrow" }).format(-Math.round(amount), unit);
}

