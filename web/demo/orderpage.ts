import type { NotificationV1Notification, OrderV1Order, OrderpageV1OrderPage, PaymentV1Payment } from "@portico/client/schema";
import type { Exchange } from "./api.js";
import { type Child, fill, h } from "../page/dom.js";
import { contents, day, label, money } from "./format.js";
import { badge, card, facts, missing, noPage, profileFacts, table } from "./parts.js";

/** Shows the page of an order: its parts, with a notice for each that is missing, or one notice for an error. */
export function showOrderPage(element: HTMLElement, exchange: Exchange<OrderpageV1OrderPage>): void {
  const { data, problem } = exchange;
  if (!data) {
    const hint = "It cannot do without the order backend. Payments, notifications and the buyer's profile may be missing.";
    fill(element, noPage("page of the order", problem, hint));
    return;
  }
  const { order, payments, notifications, buyer, partialErrors: errors } = data;
  fill(
    element,
    h(
      "div",
      { class: "people" },
      card("Order", order ? orderFacts(order) : undefined),
      card("Buyer", [missing(errors, "buyer", "The profile is")], buyer ? profileFacts(buyer) : undefined),
    ),
    h(
      "div",
      { class: "people" },
      card("Payments", [missing(errors, "payments", "Payments are") ?? paymentTable(payments ?? [])]),
      card("Notifications", [missing(errors, "notifications", "Notifications are") ?? notificationList(notifications ?? [])]),
    ),
  );
}

function orderFacts(order: OrderV1Order): Child[] {
  return [
    h("p", { class: "name" }, contents(order)),
    facts([
      ["Status", badge(order.status, "ORDER_STATUS_")],
      ["Total", money(order.total)],
      ["Placed", day(order.createTime)],
      ["By", order.userId],
      ["Note", order.note],
    ]),
  ];
}

function paymentTable(list: PaymentV1Payment[]): HTMLElement {
  if (list.length === 0) {
    return h("p", { class: "quiet" }, "None.");
  }
  return table("Payments", [["Payment"], ["Made"], ["Status"], ["Amount", "number"]], list.map(payment));
}

function payment(payment: PaymentV1Payment): HTMLElement {
  const refunded = (payment.refunds?.length ?? 0) > 0 ? `${money(payment.refundedAmount)} refunded` : undefined;
  return h(
    "tr",
    { attributes: { "data-payment": payment.paymentId ?? "" } },
    h("td", {}, source(payment), refunded ? h("span", { class: "quiet" }, refunded) : undefined),
    h("td", { class: "date" }, day(payment.createTime)),
    h("td", { class: "state" }, badge(payment.status, "PAYMENT_STATUS_")),
    h("td", { class: "number" }, money(payment.amount)),
  );
}

function source(payment: PaymentV1Payment): string {
  const detail = payment.card?.lastFour ?? payment.wallet?.provider ?? payment.bankTransfer?.iban;
  const method = label(payment.method, "PAYMENT_METHOD_");
  return detail ? `${method}, ${detail}` : method;
}

function notificationList(list: NotificationV1Notification[]): HTMLElement {
  if (list.length === 0) {
    return h("p", { class: "quiet" }, "None.");
  }
  const item = ({ title, body, createTime }: NotificationV1Notification) =>
    h("li", {}, h("time", {}, day(createTime)), h("span", {}, title), h("span", { class: "quiet" }, body));
  return h("ul", { class: "log" }, ...list.map(item));
}
