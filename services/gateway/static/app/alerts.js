// Alerts as they are, the rules that make them, the channels they go to, and what was sent.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { get, list, post, remove } from "./api.js";
import { clock, figure } from "./format.js";
import { t } from "./i18n.js";
import { useStore } from "./store.js";

const ACTIVE = ["firing", "flapping", "unknown", "pending"];
const REFRESH_MS = 5000;

function AlertTable({ alerts }) {
  if (!alerts.length) return html`<p class="empty">${t("noAlerts")}</p>`;
  return html`<div class="card scroll"><table>
    <thead><tr><th>${t("state")}</th><th>${t("severity")}</th><th>${t("rule")}</th><th>${t("server")}</th><th>${t("value")}</th><th>${t("since")}</th></tr></thead>
    <tbody>${alerts.map((alert) => html`<tr key=${alert.id}>
      <td><span class=${`tag ${alert.state === "resolved" ? "ok" : alert.state === "firing" ? alert.severity : "unknown"}`}>${t(alert.state)}</span></td>
      <td>${t(alert.severity)}</td>
      <td title=${alert.evidence.expr}>${alert.rule}</td>
      <td>${alert.labels.server && html`<a href=${`#/server/${encodeURIComponent(alert.labels.server)}`}>${alert.labels.server}</a>`}</td>
      <td>${figure("", alert.value)}</td>
      <td class="nowrap">${clock(alert.started_at)}</td>
    </tr>`)}</tbody></table></div>`;
}

function useSubmit(work, done) {
  const [message, setMessage] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    try {
      await work(Object.fromEntries(new FormData(form)));
      form.reset();
      setMessage("");
      done();
    } catch (problem) {
      setMessage(problem.message);
    }
  };
  return [submit, message && html`<p class="note critical" role="alert">${message}</p>`];
}

function RuleForm({ channels, onSaved }) {
  const [submit, message] = useSubmit(
    ({ name, expr, for_seconds, severity, channel }) =>
      post("/api/v1/rules", { name, expr, for_seconds: Number(for_seconds), severity, channels: channel ? [channel] : [] }),
    onSaved,
  );
  return html`<details class="card"><summary>${t("newRule")}</summary><form class="form" onSubmit=${submit}>
    <label>${t("name")}<input name="name" required maxlength="200" /></label>
    <label>${t("expr")}<input name="expr" required placeholder="cpu > 90" spellcheck="false" /></label>
    <label>${t("for")}<input name="for_seconds" type="number" min="0" value="60" required /></label>
    <label>${t("severity")}<select name="severity">${["info", "warning", "critical"].map((s) => html`<option key=${s} value=${s} selected=${s === "warning"}>${t(s)}</option>`)}</select></label>
    <label>${t("channel")}<select name="channel"><option value="">${t("none")}</option>${channels.map((c) => html`<option key=${c.name} value=${c.name}>${c.name}</option>`)}</select></label>
    <button type="submit">${t("save")}</button>${message}
  </form></details>`;
}

function ChannelForm({ onSaved }) {
  const [submit, message] = useSubmit(
    ({ name, url, secret, allow_private }) =>
      post("/api/v1/channels", { name, kind: "webhook", config: { url, allow_private: allow_private === "on", ...(secret ? { secret } : {}) } }),
    onSaved,
  );
  return html`<details class="card"><summary>${t("newChannel")}</summary><form class="form" onSubmit=${submit}>
    <label>${t("name")}<input name="name" required maxlength="100" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" /></label>
    <label>${t("url")}<input name="url" type="url" required placeholder="https://" /></label>
    <label>${t("secret")}<input name="secret" type="password" autocomplete="off" /></label>
    <label class="inline"><input name="allow_private" type="checkbox" /> ${t("allowPrivate")}</label>
    <button type="submit">${t("save")}</button>${message}
  </form></details>`;
}

export function Alerts() {
  const { alerts } = useStore();
  const [data, setData] = useState({ rules: [], channels: [], notifications: [], resolved: [] });
  const [message, setMessage] = useState("");
  const refresh = async () => {
    try {
      const [rules, channels, notifications, resolved] = await Promise.all([
        list("/api/v1/rules"),
        list("/api/v1/channels"),
        get("/api/v1/notifications", { page_size: 50 }),
        get("/api/v1/alerts", { state: "resolved", page_size: 20 }),
      ]);
      setData({ rules, channels, notifications: notifications.items, resolved: resolved.items });
    } catch (problem) {
      setMessage(problem.message);
    }
  };
  useEffect(() => {
    refresh();
    const timer = setInterval(refresh, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const act = (work, done = "") => async () => {
    try {
      const answer = await work();
      setMessage(answer?.delivered === false ? `${t("failed")}: ${answer.detail}` : done);
    } catch (problem) {
      setMessage(problem.message);
    }
    refresh();
  };
  const active = [...alerts.values()].filter((alert) => ACTIVE.includes(alert.state)).sort((a, b) => ACTIVE.indexOf(a.state) - ACTIVE.indexOf(b.state));
  return html`<section class="alerts">
    ${message && html`<p class="note" role="status">${message}</p>`}
    <h2 class="first">${t("alerts")}</h2>
    <${AlertTable} alerts=${[...active, ...data.resolved]} />
    <h2>${t("rules")}</h2>
    ${data.rules.length === 0 && html`<p class="empty">${t("noRules")}</p>`}
    ${data.rules.length > 0 && html`<div class="card scroll"><table><tbody>${data.rules.map((rule) => html`<tr key=${rule.id}>
      <td><strong>${rule.name}</strong></td><td><code>${rule.expr}</code></td><td>${t(rule.severity)}</td><td>${rule.channels.join(", ")}</td>
      <td class="error">${rule.last_error}</td>
      <td class="end"><button class="small" onClick=${act(() => remove(`/api/v1/rules/${rule.id}`))}>${t("remove")}</button></td></tr>`)}</tbody></table></div>`}
    <${RuleForm} channels=${data.channels} onSaved=${refresh} />
    <h2>${t("channels")}</h2>
    ${data.channels.length === 0 && html`<p class="empty">${t("noChannels")}</p>`}
    ${data.channels.length > 0 && html`<div class="card scroll"><table><tbody>${data.channels.map((channel) => html`<tr key=${channel.name}>
      <td><strong>${channel.name}</strong></td><td>${channel.kind}</td><td><code>${channel.config.url}</code></td>
      <td class="end"><button class="small" onClick=${act(() => post(`/api/v1/channels/${channel.name}/test`, {}), t("tested"))}>${t("test")}</button>
      <button class="small" onClick=${act(() => remove(`/api/v1/channels/${channel.name}`))}>${t("remove")}</button></td></tr>`)}</tbody></table></div>`}
    <${ChannelForm} onSaved=${refresh} />
    <h2>${t("notifications")}</h2>
    ${data.notifications.length === 0 && html`<p class="empty">${t("noNotifications")}</p>`}
    ${data.notifications.length > 0 && html`<div class="card scroll"><table>
      <thead><tr><th>${t("state")}</th><th>${t("title")}</th><th>${t("channel")}</th><th>${t("at")}</th><th>${t("attempts")}</th></tr></thead>
      <tbody>${data.notifications.map((note) => html`<tr key=${note.id}>
        <td><span class=${`tag ${note.state === "delivered" ? "ok" : note.state === "dead" ? "critical" : "unknown"}`}>${t(note.state)}</span></td>
        <td>${note.title}</td><td>${note.channel}</td><td class="nowrap">${clock(note.timestamp)}</td>
        <td title=${note.attempts.map((a) => `${clock(a.at)} ${a.outcome} ${a.detail}`).join("\n")}>${note.attempts.length}</td></tr>`)}</tbody></table></div>`}
  </section>`;
}
