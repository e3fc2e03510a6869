import { h } from "../page/dom.js";
import { count, latency, percent, rate } from "./format.js";
import { History } from "./history.js";
import { hitRatio } from "./limits.js";
import { type Kind, label } from "./parts.js";
import { spark } from "./spark.js";
import type { InFlight, State } from "./types.js";

/** A figure of the whole gateway. */
interface Figure {
  name: string;
  /** Whether a chart of the last minute goes with it. */
  chart?: boolean;
  of(state: State): { text: string; detail: string; value?: number; kind?: Kind };
}

const figures: Figure[] = [
  {
    name: "Requests per second",
    chart: true,
    of: ({ routes }) => {
      const all = sum(routes, ({ last_10s }) => last_10s.per_second);
      return {
        text: rate(all),
        detail: `${rate(sum(routes, ({ last_1m }) => last_1m.per_second))} in the last minute`,
        value: all,
      };
    },
  },
  {
    name: "Errors (5xx)",
    chart: true,
    of: ({ routes }) => {
      const all = sum(routes, ({ last_10s }) => last_10s.per_second);
      const errors = sum(routes, ({ last_10s }) => last_10s.per_second * last_10s.error_share);
      const part = all > 0 ? errors / all : 0;
      return {
        text: percent(part),
        detail: `${rate(errors)} per second`,
        value: errors,
        kind: part >= 0.05 ? "bad" : part > 0 ? "warn" : "idle",
      };
    },
  },
  { name: "Requests in flight", of: ({ requests }) => inFlight(requests) },
  { name: "Streams", of: ({ streams }) => inFlight(streams) },
  { name: "Connections", of: ({ connections }) => inFlight(connections) },
  {
    name: "Wait for a CPU",
    chart: true,
    of: ({ cpu: { delay_ms: delay, target_ms: target, refused_per_second: refused } }) => ({
      text: latency(delay),
      detail: refused > 0 ? `${rate(refused)} refused per second` : target > 0 ? `of ${latency(target)}` : "",
      value: delay,
      kind: refused > 0 ? "bad" : "idle",
    }),
  },
  {
    name: "Cache hits",
    of: ({ cache: { hit_ratio: ratio, hits_per_second: hits } }) => ({ text: hitRatio(ratio), detail: `${rate(hits)} per second` }),
  },
  {
    name: "Refused by limits",
    of: ({ limits }) => {
      const refused = sum(limits, (limit) => limit.refused_per_second);
      return {
        text: `${rate(refused)}/s`,
        detail: `${count(sum(limits, (limit) => limit.refused_last_minute))} in the last minute`,
        kind: refused > 0 ? "warn" : "idle",
      };
    },
  },
];

function inFlight({ in_flight: now, limit, refused_per_second: refused }: InFlight): ReturnType<Figure["of"]> {
  const detail = refused > 0 ? `${rate(refused)} refused per second` : limit ? `of ${count(limit)}` : "no limit";
  return { text: count(now), detail, kind: refused > 0 ? "bad" : "idle" };
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** Fills a list with the figures of the whole gateway. Returns what brings them up to date, and what empties their charts. */
export function overview(list: HTMLElement): { update(state: State): void; clear(): void } {
  const histories: History[] = [];
  const updates = figures.map(({ name, chart, of }) => {
    const value = h("dd", { class: "value" });
    const extra = h("dd", { class: "extra" });
    const tile = h("div", { class: "tile" }, h("dt", {}, name), value, extra);
    const show = label(value, "");
    const detail = label(extra, "quiet");
    const draw = chart ? spark(tile) : undefined;
    const history = new History();
    histories.push(history);
    list.append(tile);
    return (state: State) => {
      const got = of(state);
      show(got.text);
      detail(got.detail);
      tile.dataset["kind"] = got.kind ?? "idle";
      if (got.value !== undefined) {
        history.push(got.value);
      }
      draw?.(history.values);
    };
  });
  return {
    update: (state) => updates.forEach((update) => update(state)),
    clear: () => histories.forEach((history) => history.clear()),
  };
}
