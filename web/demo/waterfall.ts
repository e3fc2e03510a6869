import type { Exchange } from "./api.js";
import { type Child, fill, h } from "../page/dom.js";
import { timing } from "./timing.js";

/**
 * Shows which calls were made for a response, when, how long and with which error, as a table whose rows have a bar each. The roles are those that the
 * elements have; they stay when a style sheet shows the table as something else.
 */
export function showWaterfall(element: HTMLElement, exchange: Exchange<unknown>): void {
  const found = timing(exchange.headers.get("Server-Timing"));
  if (!found) {
    fill(element);
    return;
  }
  const { total, calls } = found;
  if (calls.length === 0) {
    fill(element, h("p", { class: "quiet" }, noCalls(exchange)));
    return;
  }
  const end = Math.max(total, ...calls.map(({ start, duration }) => start + duration));
  const line = (kind: string, title: string, name: Child[], start: number, duration: number) =>
    row(kind, title, name, start, duration, bar(start / end, (start + duration) / end));
  fill(
    element,
    h(
      "table",
      { class: "waterfall", attributes: { role: "table", "aria-label": "Calls behind the response" } },
      h("thead", { attributes: { role: "rowgroup" } }, h("tr", { attributes: { role: "row" } }, ...headings.map(heading))),
      h(
        "tbody",
        { attributes: { role: "rowgroup" } },
        line("total", "", [h("span", {}, "Response")], 0, total),
        ...calls.map(({ upstream, rpc, start, duration, code }) => {
          const name = [h("span", { class: "mono" }, rpc.slice(rpc.lastIndexOf("/") + 1)), " ", h("span", { class: "quiet" }, upstream)];
          const failed = code ? [" ", h("span", { class: "failed" }, code)] : [];
          return line(code ? "call bad" : "call", rpc, [...name, ...failed], start, duration);
        }),
      ),
    ),
    h("p", { class: "quiet" }, "From the header Server-Timing. A batch is one call, and what is cached needs none."),
  );
}

const headings: [string, string?][] = [["Call"], ["Start", "number"], ["Duration", "number"], ["Timeline"]];

function heading([text, kind]: [string, string?]): HTMLElement {
  return h("th", { ...(kind && { class: kind }), attributes: { scope: "col", role: "columnheader" } }, text);
}

function row(kind: string, title: string, name: Child[], start: number, duration: number, drawn: HTMLElement): HTMLElement {
  const cell = (...content: Child[]) => h("td", { class: "number", attributes: { role: "cell" } }, ...content);
  return h(
    "tr",
    { class: kind, attributes: { role: "row" } },
    h("th", { title, attributes: { scope: "row", role: "rowheader" } }, ...name),
    cell(milliseconds(start)),
    cell(milliseconds(duration)),
    h("td", { class: "timeline", attributes: { role: "cell" } }, drawn),
  );
}

/** A bar between two shares of the width. It is hidden from screen readers, which have the numbers. */
function bar(from: number, to: number): HTMLElement {
  const share = (value: number) => `${(100 * Math.min(Math.max(value, 0), 1)).toFixed(2)}%`;
  const span = h("span", {});
  // Not by the attribute "style", which the page's policy refuses.
  span.style.marginLeft = share(from);
  span.style.width = share(to - Math.max(from, 0));
  return h("div", { class: "track", attributes: { "aria-hidden": "true" } }, span);
}

function milliseconds(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function noCalls({ problem }: Exchange<unknown>): string {
  return problem ? "No call was made for this response." : "No call was made for this response: it came from a cache.";
}
