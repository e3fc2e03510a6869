import type { DashboardV1Dashboard, OrderV1Order, ProfileV1Profile, UserV1User } from "@portico/client/schema";
import type { Exchange } from "./api.js";
import { button, type Child, fill, h } from "./dom.js";
import { contents, day, label, money } from "./format.js";

/** The actions on an order. */
interface OrderActions {
  pay(order: OrderV1Order): void;
  cancel(order: OrderV1Order): void;
}

/** Shows a response: its parts, with a notice for each that is missing, or one notice for an error. */
export function showDashboard(element: HTMLElement, exchange: Exchange<DashboardV1Dashboard>, actions: OrderActions): void {
  const { data, problem } = exchange;
  if (!data) {
    const down = problem?.code === "UNAVAILABLE";
    const hint = down ? "It cannot do without the user backend. Orders and the profile may be missing." : undefined;
    fill(element, notice(down ? "warn" : "bad", `No dashboard: ${problem?.code} — ${problem?.detail}`, hint));
    return;
  }
  const missing = (part: string): HTMLElement | undefined => {
    const error = data.partialErrors?.find((candidate) => candidate.part === part);
    const subject = part === "orders" ? "Orders are" : "The profile is";
    const text = `${subject} not available: ${error?.code} — ${error?.message}`;
    return error && notice("warn", text, "The rest of the answer is complete.");
  };
  fill(
    element,
    h(
      "div",
      { class: "people" },
      card("User", data.user ? userFacts(data.user) : [h("p", { class: "quiet" }, "None.")]),
      card("Profile", [missing("profile")], data.profile ? profileFacts(data.profile) : undefined),
    ),
    card("Orders", [missing("orders") ?? orders(data.orders ?? [], actions)]),
  );
}

/** A warning or an error, with an optional second sentence. */
export function notice(kind: "warn" | "bad", text: string, hint?: string): HTMLElement {
  return h("div", { class: `notice ${kind}` }, h("p", {}, text), hint ? h("p", {}, hint) : undefined);
}

/** A status as a coloured word. */
export function badge(value: string | undefined, prefix: string): HTMLElement {
  const text = label(value, prefix);
  return h("span", { class: `badge ${text.toLowerCase()}` }, text);
}

function card(title: string, ...content: (Child[] | undefined)[]): HTMLElement {
  return h("article", { class: "card", attributes: { "data-part": title.toLowerCase() } }, h("h3", {}, title), ...content.flat());
}

function userFacts(user: UserV1User): Child[] {
  return [
    h("p", { class: "name" }, user.displayName ?? user.userId ?? ""),
    facts([
      ["Status", badge(user.status, "USER_STATUS_")],
      ["Id", user.userId],
      ["Email", user.email],
      ["Phone", user.phone],
      ["Since", day(user.createTime)],
    ]),
  ];
}

function profileFacts(profile: ProfileV1Profile): Child[] {
  const tier = label(profile.loyaltyTier, "LOYALTY_TIER_");
  const points = profile.loyaltyPoints ? `${tier}, ${Number(profile.loyaltyPoints).toLocaleString("en")} points` : tier;
  const { city, countryCode } = profile.shippingAddress ?? {};
  return [
    profile.bio ? h("p", {}, profile.bio) : undefined,
    facts([
      ["Loyalty", profile.loyaltyTier ? points : undefined],
      ["Ships to", [city, countryCode].filter(Boolean).join(", ")],
      ["Time zone", profile.timeZone],
      ["Likes", profile.interests?.join(", ")],
    ]),
  ];
}

function facts(list: [string, Child][]): HTMLElement {
  return h("dl", { class: "facts" }, ...list.flatMap(([name, value]) => (value ? [h("dt", {}, name), h("dd", {}, value)] : [])));
}

function orders(list: OrderV1Order[], actions: OrderActions): HTMLElement {
  if (list.length === 0) {
    return h("p", { class: "quiet" }, "None yet. Place one below.");
  }
  const column = (text: string, name?: string) => h("th", { ...(name && { class: name }), attributes: { scope: "col" } }, text);
  const hidden = h("th", { attributes: { scope: "col", "aria-label": "Actions" } });
  return h(
    "table",
    { attributes: { "aria-label": "Orders" } },
    h("thead", {}, h("tr", {}, column("Order"), column("Placed"), column("Status"), column("Total", "number"), hidden)),
    h("tbody", {}, ...list.map((order) => row(order, actions))),
  );
}

function row(order: OrderV1Order, actions: OrderActions): HTMLElement {
  const id = order.orderId ?? "";
  const name = contents(order);
  const action = (text: string, act: (order: OrderV1Order) => void) =>
    button(text, { id: `${text}-${id}`, class: "small", click: () => act(order), attributes: { "aria-label": `${text} ${name}` } });
  const open = order.status === "ORDER_STATUS_PENDING";
  return h(
    "tr",
    { attributes: { "data-order": id } },
    h("td", {}, name, order.note ? h("span", { class: "quiet" }, order.note) : undefined),
    h("td", { class: "date" }, day(order.createTime)),
    h("td", { class: "state" }, badge(order.status, "ORDER_STATUS_")),
    h("td", { class: "number" }, money(order.total)),
    h("td", { class: "actions" }, ...(open ? [action("Pay", actions.pay), action("Cancel", actions.cancel)] : [])),
  );
}
