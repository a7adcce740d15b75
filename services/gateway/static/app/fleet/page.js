// The virtual fleet: its servers, who depends on whom, what is wrong with it, and what of that was noticed.

import { html, useState } from "../../vendor/htm-preact.js";
import { get, list, post } from "../api.js";
import { clock } from "../format.js";
import { useMayOperate, usePolled } from "../hooks.js";
import { t } from "../i18n.js";
import { useStore } from "../store.js";
import { Graph } from "./graph.js";
import { Groups } from "./groups.js";
import { Inject } from "./inject.js";
import { Running } from "./running.js";
import { Truth } from "./truth.js";

const TABS = ["hosts", "dependencies", "truth"];
const FLEET_MS = 30000;
const RUNNING_MS = 5000;

const notOver = () => list("/api/v1/fleet/faults", { start: new Date().toISOString() }); // until tomorrow, unless told otherwise

export function Fleet({ tab }) {
  const { servers: known } = useStore();
  const fleet = usePolled(() => get("/api/v1/fleet"), FLEET_MS);
  const running = usePolled(notOver, RUNNING_MS);
  const mayOperate = useMayOperate();
  const [victim, setVictim] = useState(null);
  const [changes, setChanges] = useState(0);
  const [problem, setProblem] = useState("");
  const current = TABS.includes(tab) ? tab : TABS[0];
  if (!fleet.data) {
    return fleet.error ? html`<p class="note critical" role="alert">${fleet.error}</p>` : html`<p class="empty">${t("loading")}</p>`;
  }
  const { servers, target, scenario, seed, epoch, kinds } = fleet.data;
  const hosts = servers.map((server) => {
    const seen = known.get(server.hostname);
    return { ...server, health: seen?.health ?? "unknown", metrics: seen?.metrics ?? {}, reasons: seen?.reasons ?? [] };
  });
  const changed = () => {
    running.refresh();
    setChanges(changes + 1);
  };
  const grow = async () => {
    try {
      await post("/api/servers/generate", {});
      setProblem("");
    } catch (refused) {
      setProblem(refused.message);
    }
    fleet.refresh();
  };
  const onFault = mayOperate ? setVictim : null;
  const error = problem || fleet.error || running.error;
  return html`<section class="fleet" aria-label=${t("fleet")}>
    <div class="toolbar">
      <nav class="tabs" aria-label=${t("fleet")}>
        ${TABS.map((name) => html`<a key=${name} href=${`#/fleet/${name}`} class=${name === current ? "on" : ""} aria-current=${name === current ? "page" : undefined}>${t(name)}</a>`)}
      </nav>
      <p class="facts">
        <span><b>${servers.length}</b> / ${target} ${t("hosts")}</span>
        <span>${t("scenario")} <code>${scenario || t("none")}</code></span>
        ${Number.isSafeInteger(seed) && html`<span>${t("seed")} <code>${seed}</code></span>`}
        <span>${t("since")} ${clock(epoch)}</span>
        ${mayOperate && servers.length < target && html`<button class="small" onClick=${grow}>${t("addServer")}</button>`}
      </p>
    </div>
    ${error && html`<p class="note critical" role="alert">${error}</p>`}
    <${Running} faults=${running.data} mayOperate=${mayOperate} onChanged=${changed} />
    ${!servers.length && html`<p class="empty">${t("emptyFleet")}</p>`}
    ${current === "hosts" && servers.length > 0 && html`<${Groups} hosts=${hosts} onFault=${onFault} />`}
    ${current === "dependencies" && servers.length > 0 && html`<${Graph} hosts=${hosts} onFault=${onFault} />`}
    ${current === "truth" && html`<${Truth} hosts=${hosts} epoch=${epoch} changes=${changes} />`}
    ${victim && html`<${Inject} key=${victim.hostname} host=${victim} kinds=${kinds} onClose=${() => setVictim(null)} onInjected=${changed} />`}
  </section>`;
}
