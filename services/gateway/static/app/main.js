// The frame of the dashboard: which page, which language, and whether the figures are live.

import { html, render, useEffect, useState } from "../vendor/htm-preact.js";
import { Alerts } from "./alerts.js";
import { remove } from "./api.js";
import { Ask } from "./ask.js";
import { Fleet } from "./fleet/page.js";
import { clock } from "./format.js";
import { language, setLanguage, t } from "./i18n.js";
import { Server } from "./server.js";
import { Servers } from "./servers.js";
import { start, useStore } from "./store.js";

function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
}

function Page() {
  const [page, name] = useRoute();
  if (page === "server" && name) return html`<${Server} key=${name} name=${name} />`;
  if (page === "alerts") return html`<${Alerts} />`;
  if (page === "fleet") return html`<${Fleet} tab=${name} />`;
  return html`<${Servers} />`;
}

function App() {
  const { alerts, live, time } = useStore();
  const [page] = useRoute();
  const [lang, switchTo] = useState(language());
  const firing = [...alerts.values()].filter((alert) => alert.state === "firing").length;
  const other = lang === "ko" ? "en" : "ko";
  const logout = async () => {
    await remove("/login");
    location.assign("/login");
  };
  const link = (target, current, text) => html`<a href=${target} class=${current ? "on" : ""} aria-current=${current ? "page" : undefined}>${text}</a>`;
  return html`
    <header>
      <a class="brand" href="#/"><img src="/static/icon.svg" alt="" width="24" height="24" /> OpenManager</a>
      <nav>
        ${link("#/", page !== "alerts" && page !== "fleet", t("servers"))}
        ${link("#/fleet", page === "fleet", t("fleet"))}
        ${link("#/alerts", page === "alerts", html`${t("alerts")}${firing > 0 && html` <span class="badge">${firing}</span>`}`)}
      </nav>
      <span class=${`live ${live ? "on" : ""}`} role="status"><span class=${`dot ${live ? "ok" : "unknown"}`} aria-hidden="true"></span> ${live ? `${t("live")} ${clock(time)}` : t("reconnecting")}</span>
      <button class="small" lang=${other} onClick=${() => { setLanguage(other); switchTo(other); }}>${t("language")}</button>
      <button class="small" onClick=${logout}>${t("logout")}</button>
    </header>
    <main><${Ask} /><${Page} /></main>`;
}

setLanguage(language());
start();
render(html`<${App} />`, document.getElementById("app"));
