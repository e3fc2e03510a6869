import { h, setAttribute, setText } from "../page/dom.js";
import { latency, none, percent, rate } from "./format.js";
import { spark } from "./spark.js";
import { type Column, text } from "./table.js";
import type { Rates } from "./types.js";

/** How good a state is, which its colour repeats. */
export type Kind = "good" | "warn" | "bad" | "idle";

/** A state as a coloured word, and what changes it. */
export function badge(parent: Element): (text: string, kind: Kind, title?: string) => void {
  const element = h("span", { class: "badge" });
  parent.append(element);
  return (text, kind, title = "") => {
    setText(element, text);
    setAttribute(element, "class", `badge ${kind}`);
    setAttribute(element, "title", title);
  };
}

/** An element with a text that changes. Without a text it is hidden. */
export function label(parent: Element, kind: string, name: "span" | "div" = "span"): (text: string) => void {
  const element = h(name, { class: kind });
  parent.append(element);
  return (text) => {
    setText(element, text);
    element.hidden = text === "";
  };
}

/** What stands for the path of requests that no route matches. */
export const noRoute = "no route";

/** The method and the path template of a route. */
export function endpointLabel(parent: Element): (route: { method: string; path: string }) => void {
  const element = h("div", { class: "endpoint" });
  const method = label(element, "method");
  const path = label(element, "mono path");
  parent.append(element);
  return (route) => {
    method(route.method);
    path(route.path || noRoute);
  };
}

/** Shares of errors from which on they are coloured. */
const someErrors = 0.001;
const manyErrors = 0.05;

/** The columns of rates, errors and percentiles, with a chart of the rates of the last minute. */
export function figures<Row>(of: (row: Row) => Rates | undefined, history: (row: Row) => readonly number[]): Column<Row>[] {
  const percentile = (name: string, key: "p50_ms" | "p95_ms" | "p99_ms"): Column<Row> => ({
    name,
    kind: `number ${name}`,
    by: (row) => of(row)?.[key] ?? -1,
    cell: text((row) => latency(of(row)?.[key])),
  });
  return [
    {
      name: "Per second",
      kind: "number rate",
      by: (row) => of(row)?.per_second ?? 0,
      cell: (cell) => {
        const draw = spark(cell);
        const show = label(cell, "");
        return (row) => {
          draw(history(row));
          show(rate(of(row)?.per_second ?? 0));
        };
      },
    },
    {
      name: "Errors",
      kind: "number errors",
      by: (row) => of(row)?.error_share ?? 0,
      cell: (cell) => {
        const show = label(cell, "");
        return (row) => {
          const { per_second: all = 0, error_share: errors = 0 } = of(row) ?? {};
          show(all > 0 ? percent(errors) : none);
          setAttribute(cell, "data-level", errors >= manyErrors ? "bad" : errors >= someErrors ? "warn" : "");
        };
      },
    },
    percentile("p50", "p50_ms"),
    percentile("p95", "p95_ms"),
    percentile("p99", "p99_ms"),
  ];
}

/** Names and values; those without a value are left out. */
export function facts(list: readonly (readonly [name: string, value: Node | string | undefined])[]): Node[] {
  return list.flatMap(([name, value]) => (value === undefined || value === "" ? [] : [h("dt", {}, name), h("dd", {}, value)]));
}
