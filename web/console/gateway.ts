import { byId, fill, h } from "../page/dom.js";
import { clock, moment } from "./format.js";
import { badge, facts, type Kind } from "./parts.js";
import type { About, Check, Reload, State } from "./types.js";

/** Shows the configuration, its last reload and the process. */
export function showAbout(about: About): void {
  const { version, revision, go, instance, started, configuration } = about;
  byId("identity").textContent = `${instance} · version ${version}`;
  document.title = `${instance} · Portico console`;
  fill(
    byId("configuration"),
    ...facts([
      ["Hash", h("code", {}, configuration.hash)],
      ["In use since", moment(new Date(configuration.loaded))],
      ["Last reload", configuration.last_reload ? reload(configuration.last_reload) : "none"],
      ["Faults", list(configuration.last_reload?.faults)],
      ["Changed", list(configuration.last_reload?.changed)],
    ]),
  );
  fill(
    byId("process-facts"),
    ...facts([
      ["Instance", instance],
      ["Started", moment(new Date(started))],
      ["Version", version],
      ["Revision", h("code", {}, revision)],
      ["Go", go],
    ]),
  );
}

function reload({ result, trigger, time }: Reload): Node {
  const element = h("span");
  badge(element)(result, result === "accepted" ? "good" : "bad");
  element.append(` ${moment(new Date(time))}, by ${trigger}`);
  return element;
}

function list(items: readonly string[] | undefined): Node | undefined {
  return items && items.length > 0 ? h("ul", { class: "plain mono" }, ...items.map((item) => h("li", {}, item))) : undefined;
}

/** Shows readiness, log level and Redis. They seldom change, so they are made anew when they do. */
export class GatewayState {
  #shown = "";

  update({ checks, ready, stopping, drained, log, redis }: State): void {
    const now = JSON.stringify([checks, ready, stopping, drained, log, redis]);
    if (now === this.#shown) {
      return;
    }
    this.#shown = now;
    showReady(ready, stopping ?? false, drained !== undefined);
    fill(byId("checks"), ...checks.map(check));
    fill(
      byId("state-facts"),
      ...facts([
        ["Log level", log && (log.until ? `${log.level} until ${clock(new Date(log.until))}, then ${log.configured}` : log.level)],
        ["Redis", redis && (redis.trouble?.join("; ") || `breaker ${redis.breaker}`)],
        ["Drained since", drained && moment(new Date(drained))],
      ]),
    );
  }
}

function showReady(ready: boolean, stopping: boolean, drained: boolean): void {
  const pill = byId("ready");
  pill.hidden = false;
  pill.className = `pill ${ready ? "good" : "bad"}`;
  pill.textContent = stopping ? "Stopping" : ready ? "Ready" : drained ? "Drained" : "Not ready";
}

function check({ name, state, detail, required }: Check): HTMLElement {
  const kind: Kind = state === "ok" ? "good" : required ? "bad" : "warn";
  const element = h("li", {}, h("span", { class: "mono" }, name), " ");
  badge(element)(state, kind);
  element.append(h("span", { class: "quiet" }, detail ? ` ${detail}` : ""));
  return element;
}
