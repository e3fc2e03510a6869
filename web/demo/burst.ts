import type { Api } from "./api.js";
import { fill, h } from "../page/dom.js";

const requests = 40;

/** Sends many requests at once and shows how many of them passed. */
export async function burst(api: Api, path: string, element: HTMLElement): Promise<void> {
  const bar = h("div", { class: "bar", attributes: { "aria-hidden": "true" } });
  const counts = new Map<number, number>();
  let retryAfter = "";
  let policy = "";

  fill(element, bar);
  await Promise.all(
    Array.from({ length: requests }, async () => {
      const { status, headers } = await api.send("GET", path);
      counts.set(status, (counts.get(status) ?? 0) + 1);
      retryAfter = headers.get("Retry-After") ?? retryAfter;
      policy = headers.get("RateLimit-Policy") ?? policy;
      bar.append(h("span", { class: status === 200 ? "passed" : "refused", title: String(status) }));
    }),
  );

  const said = [...counts].sort().map(([status, count]) => `${count} × ${status}${names[status] ?? ""}`);
  fill(
    element,
    bar,
    h("p", { class: "burst-text" }, said.join(", ")),
    h("p", { class: "mono" }, policy && `RateLimit-Policy: ${policy}`),
    h("p", { class: "mono" }, retryAfter && `Retry-After: ${retryAfter}`),
  );
}

const names: Record<number, string> = {
  200: " OK",
  401: " Unauthorized",
  403: " Forbidden",
  429: " Too Many Requests",
  503: " Service Unavailable",
};
