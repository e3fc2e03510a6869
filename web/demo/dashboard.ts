import type { DashboardV1Dashboard, OrderV1Order, UserV1User } from "@portico/client/schema";
import type { Exchange } from "./api.js";
import { type Child, fill, h } from "../page/dom.js";
import { contents, day, money } from "./format.js";
import { badge, card, facts, missing, noPage, profileFacts, rowButton, table } from "./parts.js";

/** The actions on an order. */
export interface OrderActions {
  open(order: OrderV1Order): void;
  pay(order: OrderV1Order): void;
  cancel(order: OrderV1Order): void;
}

/** Shows a dashboard: its parts, with a notice for each that is missing, or one notice for an error. */
export function showDashboard(element: HTMLElement, exchange: Exchange<DashboardV1Dashboard>, actions: OrderActions): void {
  const { data, problem } = exchange;
  if (!data) {
    fill(element, noPage("dashboard", problem, "It cannot do without the user backend. Orders and the profile may be missing."));
    return;
  }
  fill(
    element,
    h(
      "div",
      { class: "people" },
      card("User", data.user ? userFacts(data.user) : [h("p", { class: "quiet" }, "None.")]),
      card("Profile", [missing(data.partialErrors, "profile", "The profile is")], data.profile ? profileFacts(data.profile) : undefined),
    ),
    card("Orders", [missing(data.partialErrors, "orders", "Orders are") ?? orders(data.orders ?? [], actions)]),
  );
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

function orders(list: OrderV1Order[], actions: OrderActions): HTMLElement {
  if (list.length === 0) {
    return h("p", { class: "quiet" }, "None yet. Place one below.");
  }
  const columns: [string, string?][] = [["Order"], ["Placed"], ["Status"], ["Total", "number"], [""]];
  return table("Orders", columns, list.map((order) => row(order, actions)));
}

function row(order: OrderV1Order, actions: OrderActions): HTMLElement {
  const id = order.orderId ?? "";
  const name = contents(order);
  const action = (text: string, act: (order: OrderV1Order) => void) => rowButton(text, id, name, () => act(order));
  const pending = order.status === "ORDER_STATUS_PENDING";
  return h(
    "tr",
    { attributes: { "data-order": id } },
    h("td", {}, name, order.note ? h("span", { class: "quiet" }, order.note) : undefined),
    h("td", { class: "date" }, day(order.createTime)),
    h("td", { class: "state" }, badge(order.status, "ORDER_STATUS_")),
    h("td", { class: "number" }, money(order.total)),
    h(
      "td",
      { class: "actions" },
      action("Open", actions.open),
      ...(pending ? [action("Pay", actions.pay), action("Cancel", actions.cancel)] : []),
    ),
  );
}
