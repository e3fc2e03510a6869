import { byId, fill, h, setText } from "../page/dom.js";
import { type Action, drainGateway, purge, reload, setLogLevel } from "./actions.js";
import { notices } from "./attention.js";
import { Credential } from "./credential.js";
import { ActionDialog } from "./dialog.js";
import { failureTable, failureText } from "./failures.js";
import { clock, count } from "./format.js";
import { GatewayState, showAbout } from "./gateway.js";
import { Histories } from "./history.js";
import { cacheTable, limitTable } from "./limits.js";
import { type Freshness, Live } from "./live.js";
import { matches } from "./order.js";
import { overview } from "./overview.js";
import { keyOf, routeRows, routeTable } from "./routes.js";
import type { About, Failure, Rates, State, Windows } from "./types.js";
import { upstreamTable } from "./upstreams.js";

const credential = new Credential();
const dialog = new ActionDialog(credential, () => about?.instance ?? "");
const offer = (action: Action) => dialog.show(action);

const windowChoice = byId<HTMLSelectElement>("window");
const chosen = (of: Windows): Rates => of[windowChoice.value === "last_1m" ? "last_1m" : "last_10s"];
const routeRates = new Histories();
const upstreamRates = new Histories();

const tiles = overview(byId("overview"));
const upstreams = upstreamTable(chosen, upstreamRates, offer);
const routes = routeTable(chosen, routeRates);
const failures = failureTable();
const limits = limitTable();
const cache = cacheTable();
const gateway = new GatewayState();

/** The last event of each kind. */
let about: About | undefined;
let state: State | undefined;
/** The failures that are held while somebody reads them. */
let held: readonly Failure[] | undefined;

function showState(): void {
  if (!about || !state) {
    return;
  }
  gateway.update(state);
  showNotices(about, state);
  upstreams.update(state.upstreams);
  setText(byId("upstreams-count"), count(state.upstreams.length));
  showRoutes(about, state);
  showFailures(state);
  limits.update(state.limits);
  cache.update(state.cache.rpcs);
}

function showRoutes(about: About, state: State): void {
  const rows = routeRows(about, state);
  const query = byId<HTMLInputElement>("routes-filter").value;
  const active = byId<HTMLInputElement>("routes-active").checked;
  const wanted = rows.filter((row) => (!active || row.state) && matches(row.text, query));
  routes.update(wanted);
  setText(
    byId("routes-count"),
    wanted.length === rows.length ? count(rows.length) : `${count(wanted.length)} of ${count(rows.length)}`,
  );
}

function showFailures({ failures: all }: State): void {
  const rows = held ?? all;
  const query = byId<HTMLInputElement>("failures-filter").value;
  const wanted = rows.filter((failure) => matches(failureText(failure), query));
  failures.update(wanted);
  setText(
    byId("failures-count"),
    wanted.length === rows.length ? count(rows.length) : `${count(wanted.length)} of ${count(rows.length)}`,
  );
}

/** What is announced to screen readers changes only with its text. */
let announced = "";

function showNotices(about: About, state: State): void {
  const list = notices(about, state);
  const texts = JSON.stringify(list);
  if (texts === announced) {
    return;
  }
  announced = texts;
  byId("attention").hidden = list.length === 0;
  fill(
    byId("notices"),
    ...list.map(({ kind, text, section }) =>
      h("li", { class: `notice ${kind}` }, h("a", { attributes: { href: `#${section}` } }, text)),
    ),
  );
}

function receiveAbout(data: unknown): void {
  const next = data as About;
  if (about?.started !== next.started) {
    // Another process: its figures are not those of the one before.
    [routeRates, upstreamRates, tiles].forEach((history) => history.clear());
  }
  if (about && about.version + about.revision !== next.version + next.revision) {
    // The page is a part of the program, so it may be another one, too.
    location.reload();
  }
  about = next;
  showAbout(about);
  showActions(about);
  showState();
}

function receiveState(data: unknown): void {
  state = data as State;
  routeRates.push(state.routes.map((route) => [keyOf(route), route.last_10s.per_second]));
  upstreamRates.push(state.upstreams.map((upstream) => [upstream.name, upstream.last_10s.per_second]));
  tiles.update(state);
  showState();
}

/** Shows the buttons of the actions that there are, and why there are none. */
function showActions({ actions, actions_refused: refused }: About): void {
  const allowed = refused ? [] : actions;
  document.body.dataset["actions"] = allowed.join(" ");
  const note = byId("actions-refused");
  note.hidden = !refused;
  setText(note, refused ? `Actions are off: ${refused}` : "");
}

function showFreshness(freshness: Freshness): void {
  document.body.dataset["freshness"] = freshness;
  const last = state ? `: figures from ${clock(new Date(state.time))}` : "";
  const texts = { connecting: "Connecting…", live: "Live", stale: `Stale${last}. Connecting again…`, paused: `Paused${last}` };
  setText(byId("freshness"), texts[freshness]);
}

function start(): void {
  for (const [id, table] of [
    ["upstreams", upstreams],
    ["routes", routes],
    ["failures", failures],
    ["limits", limits],
    ["cache", cache],
  ] as const) {
    byId(`${id}-table`).append(table.element);
  }
  document.body.append(dialog.element);
  const takeCredential = () => {
    const rest = credential.take(location.hash);
    if (rest !== location.hash) {
      history.replaceState(null, "", location.pathname + location.search + rest);
    }
  };
  takeCredential();
  addEventListener("hashchange", takeCredential);

  for (const id of ["routes-filter", "routes-active", "failures-filter", "window"]) {
    byId(id).addEventListener("input", showState);
  }
  byId<HTMLInputElement>("failures-hold").addEventListener("input", (event) => {
    held = (event.target as HTMLInputElement).checked ? state?.failures : undefined;
    showState();
  });
  const actions = { "act-purge": purge, "act-reload": reload };
  for (const [id, make] of Object.entries(actions)) {
    byId(id).addEventListener("click", () => offer(make()));
  }
  byId("act-drain").addEventListener("click", () => state && offer(drainGateway(state.drained === undefined)));
  byId("act-log").addEventListener("click", () => state && offer(setLogLevel(state)));

  const live = new Live(() => new EventSource("events"), { about: receiveAbout, state: receiveState }, showFreshness);
  const follow = () => (document.visibilityState === "visible" ? live.start() : live.pause());
  document.addEventListener("visibilitychange", follow);
  follow();
}

start();
