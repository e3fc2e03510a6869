import type {
  MoneyV1MoneyInput,
  OrderV1CancelOrderRequest,
  OrderV1CreateOrderRequest,
  OrderV1Order,
  OrderV1WatchOrderResponse,
  PaymentV1CreatePaymentRequest,
  PaymentV1Payment,
} from "@portico/client/schema";
import { idempotencyKey } from "../client/retry.js";
import { lines } from "../client/lines.js";
import { type Api, reason } from "./api.js";
import { badge } from "./parts.js";
import { type Child, h } from "../page/dom.js";
import { clock } from "./format.js";

const wares: OrderV1CreateOrderRequest["items"] = [
  { sku: "TEA-OOLONG", title: "Oolong tea, 100 g", quantity: 2, unitPrice: euros("8", 50) },
  { sku: "MUG-BLUE", title: "Mug, blue", quantity: 1, unitPrice: euros("12", 90) },
  { sku: "POT-IRON", title: "Cast iron teapot", quantity: 1, unitPrice: euros("49", 0) },
];

/** The number of lines that the log keeps. */
const logged = 6;

/** Places, pays and cancels orders, and follows the newest one. */
export class Orders {
  #watching = new AbortController();
  #placed = 0;

  constructor(
    readonly api: Api,
    readonly log: HTMLElement,
    readonly changed: () => void,
    readonly failed: (what: string, error: unknown) => void,
  ) {}

  async place(): Promise<void> {
    const item = wares[this.#placed % wares.length];
    const body: OrderV1CreateOrderRequest = { items: item ? [item] : [] };
    const order = await this.#post<OrderV1Order>("The order was not placed", "/v1/orders", body);
    if (order?.orderId) {
      this.#placed++;
      this.changed();
      void this.#watch(order.orderId);
    }
  }

  async pay(order: OrderV1Order): Promise<void> {
    const body: PaymentV1CreatePaymentRequest = {
      orderId: order.orderId ?? "",
      amount: { ...order.total, currencyCode: order.total?.currencyCode ?? "EUR" },
      method: "PAYMENT_METHOD_CARD",
    };
    await this.#post<PaymentV1Payment>("The order was not paid", "/v1/payments", body);
    this.changed();
  }

  async cancel(order: OrderV1Order): Promise<void> {
    const body: OrderV1CancelOrderRequest = { reason: "changed my mind" };
    await this.#post<OrderV1Order>("The order was not cancelled", `${resource(order.orderId)}:cancel`, body);
    this.changed();
  }

  /** Stops following the order. */
  leave(): void {
    this.#watching.abort();
    this.log.replaceChildren();
  }

  async #post<Data>(otherwise: string, path: string, body: unknown): Promise<Data | undefined> {
    try {
      const { data, problem } = await this.api.send<Data>("POST", path, body, { "Idempotency-Key": idempotencyKey() });
      if (problem) {
        this.failed(otherwise, problem);
      }
      return data;
    } catch (error) {
      this.failed(otherwise, error);
      return undefined;
    }
  }

  async #watch(id: string): Promise<void> {
    this.#watching.abort();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    try {
      const response = await this.api.open(`${resource(id)}:watch`, signal);
      for await (const change of lines<OrderV1WatchOrderResponse>(response)) {
        this.#note(badge(change.status, "ORDER_STATUS_"), h("span", { class: "mono" }, id));
        // The first message has the status that the response to placing the order had.
        if (change.sequence !== "1") {
          this.changed();
        }
      }
      this.#note("The stream has ended: nothing more will change.");
    } catch (error) {
      if (!signal.aborted) {
        this.#note(`The stream broke off: ${reason(error)}`);
      }
    }
  }

  #note(...content: Child[]): void {
    this.log.append(h("li", {}, h("time", {}, clock(new Date())), ...content));
    while (this.log.childElementCount > logged) {
      this.log.firstElementChild?.remove();
    }
  }
}

function euros(units: string, cents: number): MoneyV1MoneyInput {
  return { currencyCode: "EUR", units, nanos: cents * 10_000_000 };
}

function resource(id: string | undefined): string {
  return `/v1/orders/${encodeURIComponent(id ?? "")}`;
}
