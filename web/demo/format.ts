import type { MoneyV1Money, OrderV1Order } from "@portico/client/schema";

/** An amount in its currency. */
export function money(amount: MoneyV1Money | undefined): string {
  if (!amount?.currencyCode) {
    return "–";
  }
  // As text: a number does not hold every amount. Both parts have the same sign.
  const nanos = amount.nanos ?? 0;
  const sign = nanos < 0 && !amount.units?.startsWith("-") ? "-" : "";
  const text = `${sign}${amount.units ?? "0"}.${String(Math.abs(nanos)).padStart(9, "0")}` as `${number}`;
  return new Intl.NumberFormat("en", { style: "currency", currency: amount.currencyCode }).format(text);
}

/** The day of an RFC 3339 timestamp. */
export function day(timestamp: string | undefined): string {
  return timestamp ? new Intl.DateTimeFormat("en", { dateStyle: "medium" }).format(new Date(timestamp)) : "–";
}

/** The time of day of an RFC 3339 timestamp. */
export function minute(timestamp: string): string {
  return new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(timestamp));
}

/** A time of day with seconds. */
export function clock(date: Date): string {
  return new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }).format(date);
}

/** The name of an enum value for people: "Pending" of "ORDER_STATUS_PENDING" with the prefix "ORDER_STATUS_". */
export function label(value: string | undefined, prefix: string): string {
  const word = (value ?? "").replace(prefix, "").replaceAll("_", " ").toLowerCase();
  return word === "" || word === "unspecified" ? "Unknown" : word[0]?.toUpperCase() + word.slice(1);
}

/** The contents of an order in a few words. */
export function contents(order: OrderV1Order): string {
  const [first, ...others] = order.items ?? [];
  if (!first) {
    return "Nothing";
  }
  const quantity = (first.quantity ?? 1) > 1 ? `${first.quantity} × ` : "";
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  return `${quantity}${first.title ?? first.sku ?? ""}${more}`;
}
