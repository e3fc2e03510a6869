import { button, h, setAttribute, setText } from "../page/dom.js";
import { type Action, drainAddress, setBreaker } from "./actions.js";
import { working } from "./attention.js";
import { clock, count, plural } from "./format.js";
import type { Histories } from "./history.js";
import { badge, figures, type Kind, label } from "./parts.js";
import { Table } from "./table.js";
import type { Address, Breaker, Rates, Upstream, Windows } from "./types.js";

/** Offers an action to the operator. */
export type Offer = (action: Action) => void;

/** Addresses beyond these are folded. */
const shown = 4;

/** The table of upstreams. Window is the one that the figures are of. */
export function upstreamTable(window: (of: Windows) => Rates, histories: Histories, offer: Offer): Table<Upstream> {
  return new Table<Upstream>({
    name: "Upstreams",
    columns: [
      { name: "Upstream", kind: "name", by: ({ name }) => name, cell: nameCell },
      { name: "Breaker", kind: "breaker", by: ({ breaker }) => breaker.state, cell: (cell) => breakerCell(cell, offer) },
      { name: "Addresses", kind: "addresses", cell: (cell) => addressCell(cell, offer) },
      ...figures<Upstream>(window, ({ name }) => histories.of(name)),
      { name: "In flight", kind: "number", by: (row) => row.in_flight, cell: inFlightCell },
    ],
    key: ({ name }) => name,
    order: { column: "Upstream", down: false },
    empty: "There are none.",
  });
}

function nameCell(cell: HTMLElement): (row: Upstream) => void {
  const name = label(cell, "strong");
  const state = badge(cell);
  const detail = label(cell, "quiet", "div");
  return (row) => {
    name(row.name);
    state(row.state, row.state === "ok" ? "good" : "bad");
    detail(row.detail ?? "");
    cell.parentElement?.setAttribute("data-state", row.state);
  };
}

function breakerCell(cell: HTMLElement, offer: Offer): (row: Upstream) => void {
  let current: Upstream | undefined;
  const state = badge(cell);
  const change = button("Set…", { class: "small act", click: () => current && offer(setBreaker(current)) });
  cell.append(change);
  const methods = label(cell, "quiet rpc", "div");
  return (row) => {
    current = row;
    state(breakerText(row.breaker), breakerKind(row.breaker));
    const odd = (row.methods ?? []).filter((method) => method.state !== "closed" || method.forced);
    methods(odd.map((method) => `${method.rpc}: ${breakerText(method)}`).join(", "));
    setAttribute(change, "aria-label", `Set the breaker of ${row.name}`);
  };
}

function breakerText({ state, forced }: Breaker): string {
  return forced ? `${state}, held` : state;
}

function breakerKind({ state, forced }: Breaker): Kind {
  return state === "open" ? "bad" : state === "closed" && !forced ? "good" : "warn";
}

function inFlightCell(cell: HTMLElement): (row: Upstream) => void {
  const calls = label(cell, "");
  const limit = label(cell, "quiet", "div");
  return ({ in_flight: inFlight, waiting, concurrency_limit: most }) => {
    calls(count(inFlight));
    limit(most ? `${count(waiting ?? 0)} of ${count(most)}` : "");
  };
}

/** The addresses, those that cannot be called first. */
function addressCell(cell: HTMLElement, offer: Offer): (row: Upstream) => void {
  const none = h("span", { class: "quiet" }, "none");
  const first = h("ul", { class: "addresses" });
  const rest = h("ul", { class: "addresses" });
  const summary = h("summary");
  const more = h("details", {}, summary, rest);
  const items = new Map<string, AddressItem>();
  cell.append(none, first, more);
  return ({ name, addresses = [] }) => {
    const wanted = [...addresses].sort((a, b) => Number(working.has(a.state)) - Number(working.has(b.state)));
    none.hidden = wanted.length > 0;
    more.hidden = wanted.length <= shown;
    setText(summary, `${plural(wanted.length - shown, "more address", "more addresses")}`);
    const elements = wanted.map((address) => {
      const item = items.get(address.address) ?? new AddressItem(name, offer);
      items.set(address.address, item);
      item.update(address);
      return item.element;
    });
    arrange(first, elements.slice(0, shown));
    arrange(rest, elements.slice(shown));
    for (const gone of [...items.keys()].filter((key) => !addresses.some(({ address }) => address === key))) {
      items.delete(gone);
    }
  };
}

/** Makes these the children of a list, and touches nothing if they are. */
function arrange(list: HTMLElement, children: HTMLElement[]): void {
  if (children.length !== list.children.length || children.some((child, i) => child !== list.children[i])) {
    list.replaceChildren(...children);
  }
}

const kinds: Record<string, Kind> = { ready: "good", idle: "idle", connecting: "idle", drained: "warn" };

/** An address with its state and the button that drains it. */
class AddressItem {
  readonly element = h("li");
  readonly #dot = h("span", { class: "dot", attributes: { "aria-hidden": "true" } });
  readonly #address = h("span", { class: "mono" });
  readonly #state = h("span", { class: "quiet" });
  readonly #drain: HTMLButtonElement;
  #current: Address | undefined;

  constructor(upstream: string, offer: Offer) {
    const click = () => this.#current && offer(drainAddress(upstream, this.#current.address, this.#current.state !== "drained"));
    this.#drain = button("", { class: "small act", click });
    this.element.append(this.#dot, h("span", { class: "where" }, this.#address, " ", this.#state), this.#drain);
  }

  update(address: Address): void {
    this.#current = address;
    const drained = address.state === "drained";
    const until = address.until ? ` until ${clock(new Date(address.until))}` : "";
    setAttribute(this.#dot, "class", `dot ${kinds[address.state] ?? "bad"}`);
    setText(this.#address, address.address);
    setText(this.#state, address.state + until);
    setText(this.#drain, drained ? "Undrain…" : "Drain…");
    setAttribute(this.#drain, "aria-label", `${drained ? "End the drain of" : "Drain"} ${address.address}`);
  }
}
