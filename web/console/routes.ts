import { h, setAttribute, setText } from "../page/dom.js";
import { count } from "./format.js";
import type { Histories } from "./history.js";
import { endpointLabel, facts, figures, noRoute } from "./parts.js";
import { Table, text } from "./table.js";
import type { About, Rates, Route, RouteState, State, Windows } from "./types.js";

/** A route with its policy and what goes on there. */
export interface RouteRow {
  key: string;
  method: string;
  path: string;
  /** The name of the upstream, or "composite". Empty for requests that no route matches. */
  upstream: string;
  /** What the filter looks at. */
  text: string;
  /** Undefined for requests that no route matches. */
  route?: Route;
  /** Undefined if there were no requests in the last minute. */
  state?: RouteState;
}

/** Returns the name of a route, by which it is found in both events. */
export function keyOf({ method, path }: { method: string; path: string }): string {
  return `${method} ${path}`;
}

/** Returns all routes in the order of their services, and what belongs to none at the end. */
export function routeRows({ services }: About, { routes: states }: State): RouteRow[] {
  const open = new Map(states.map((state) => [keyOf(state), state]));
  const rows = services.flatMap(({ upstream, composite, routes }) =>
    routes.map((route) => {
      const key = keyOf(route);
      const state = open.get(key);
      open.delete(key);
      const name = composite ? "composite" : (upstream ?? "");
      return row(key, route, name, state, route);
    }),
  );
  return [...rows, ...[...open].map(([key, state]) => row(key, state, "", state))];
}

function row(
  key: string,
  { method, path }: { method: string; path: string },
  upstream: string,
  state?: RouteState,
  route?: Route,
): RouteRow {
  const text = `${key} ${route ? `${route.rpc} ${route.summary} ${route.stream ?? ""}` : noRoute} ${upstream}`;
  return { key, method, path, upstream, text, ...(route && { route }), ...(state && { state }) };
}

/** The table of routes. Window is the one that the figures are of. */
export function routeTable(window: (of: Windows) => Rates, histories: Histories): Table<RouteRow> {
  return new Table<RouteRow>({
    name: "Routes",
    columns: [
      { name: "Route", kind: "name", by: ({ path, method }) => `${path} ${method}`, cell: nameCell },
      { name: "Upstream", kind: "upstream", by: ({ upstream }) => upstream, cell: text(({ upstream }) => upstream) },
      ...figures<RouteRow>(
        ({ state }) => state && window(state),
        ({ key }) => histories.of(key),
      ),
      {
        name: "In flight",
        kind: "number",
        by: ({ state }) => state?.in_flight ?? 0,
        cell: text(({ state }) => count(state?.in_flight ?? 0)),
      },
    ],
    key: ({ key }) => key,
    order: { column: "Per second", down: true },
    empty: "No route matches.",
  });
}

function nameCell(cell: HTMLElement): (row: RouteRow) => void {
  const endpoint = endpointLabel(cell);
  const summary = h("summary");
  const policy = h("dl", { class: "facts" });
  const details = h("details", { class: "policy" }, summary, policy);
  cell.append(details);
  let known: Route | undefined;
  return (row) => {
    const { route } = row;
    setAttribute(cell.parentElement as Element, "data-idle", String(!row.state));
    if (route && route === known) {
      return;
    }
    known = route;
    endpoint(row);
    details.hidden = !route;
    setText(summary, [streams[route?.stream ?? ""], route?.summary].filter(Boolean).join(" · "));
    policy.replaceChildren(
      ...facts([["RPC", route?.rpc], ...(route?.policy ?? []).map(({ name, value }) => [name, value] as const)]),
    );
  };
}

const streams: Record<string, string> = { client: "client stream", server: "server stream", both: "streams both ways" };
