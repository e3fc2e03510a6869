import type { Exchange } from "./api.js";
import { fill, h } from "../page/dom.js";

/** Shows a request and the headers of its response in a description list. */
export function showExchange(element: HTMLElement, exchange: Exchange<unknown>): void {
  const { method, path, status, milliseconds, headers, problem } = exchange;
  const fact = (name: string, value: string | null, kind?: string) =>
    value ? h("div", {}, h("dt", {}, name), h("dd", kind ? { class: kind } : {}, value)) : undefined;
  fill(
    element,
    fact("Request", `${method} ${path}`),
    fact("Status", `${status} ${problem?.problem.title ?? "OK"}`, problem ? "failed" : "ok"),
    fact("Time", `${milliseconds.toFixed(1)} ms`),
    fact("RateLimit", headers.get("RateLimit")),
    fact("Retry-After", headers.get("Retry-After")),
    fact("X-Request-Id", headers.get("X-Request-Id")),
  );
}

/** JSON with indentation; other text as it is. */
export function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/** The response in one sentence, for screen readers. The title is that of the page. */
export function summary(title: string, exchange: Exchange<{ partialErrors?: { part?: string }[] }>): string {
  const { data, status, problem } = exchange;
  if (!data) {
    return `${status}: ${problem?.detail}`;
  }
  const missing = new Intl.ListFormat("en").format((data.partialErrors ?? []).map(({ part }) => part ?? ""));
  return missing === "" ? `${title}: complete.` : `${title}: without ${missing}.`;
}
