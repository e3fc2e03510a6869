// What a client does in its first hour: read a composite, write once, understand errors, follow a stream. README.md: how to run it.
import type { DashboardV1Dashboard, OrderV1CreateOrderRequest } from "@portico/client/schema";
import { createClient, idempotencyKey, ProblemError, type Client } from "../../../web/client/index.js";

const baseUrl = process.env["GATEWAY_URL"] ?? "http://127.0.0.1:8080";
const token = process.argv[2] ?? process.env["GATEWAY_TOKEN"];

const tea: OrderV1CreateOrderRequest = {
  items: [{ sku: "TEA-1", title: "Tea", quantity: 3, unitPrice: { currencyCode: "EUR", units: "4", nanos: 500_000_000 } }],
};

async function main(): Promise<void> {
  const client = createClient({ baseUrl, token, retry: true, timeout: 30_000 });

  await showDashboard(client);
  await showValidation(client);
  const orderId = await placeOrder(client);
  await watchUntilCancelled(client, orderId);
  await showUnauthenticated();
}

/** A composite: what is optional may be missing, and partialErrors say why. */
async function showDashboard(client: Client): Promise<void> {
  const { data } = await client.GET("/v1/me/dashboard", { params: { query: { orderCount: 3 } } });
  console.log(`dashboard of ${data.user?.displayName ?? "somebody"}: ${data.orders?.length ?? 0} orders`);
  for (const line of missing(data)) {
    console.log(line);
  }
}

function missing(dashboard: DashboardV1Dashboard): string[] {
  return (dashboard.partialErrors ?? []).map((error) => `  without ${error.part}: ${error.code} (${error.message})`);
}

/** The types keep out what has no such type. Rules about values are the gateway's to check, and it names each field. */
async function showValidation(client: Client): Promise<void> {
  try {
    await client.POST("/v1/orders", { body: { items: tea.items.map((item) => ({ ...item, quantity: 0 })) } });
  } catch (error) {
    if (!(error instanceof ProblemError) || error.status !== 400) {
      throw error;
    }
    console.log(`refused: ${error.code}`);
    for (const { field, description } of error.errors) {
      console.log(`  ${field}: ${description}`);
    }
  }
}

/** The key names the operation, so it is made once and sent with every try: the order is placed once however often it is sent. */
async function placeOrder(client: Client): Promise<string> {
  const order = { body: tea, params: { header: { "Idempotency-Key": idempotencyKey() } } };
  const first = await client.POST("/v1/orders", order);
  const again = await client.POST("/v1/orders", order);
  const orderId = first.data.orderId ?? "";
  const replayed = again.response.headers.get("Idempotency-Replayed") === "true" && again.data.orderId === orderId;
  console.log(`order ${orderId} at ${first.response.headers.get("Location")}, sent twice, placed ${replayed ? "once" : "twice"}`);
  return orderId;
}

/** Each change as it happens; `resume` connects again if the connection breaks, and nothing comes twice. */
async function watchUntilCancelled(client: Client, orderId: string): Promise<void> {
  const params = { path: { order_id: orderId } };
  const changes = client.watch("/v1/orders/{order_id}:watch", {
    params: { ...params, query: { fields: ["sequence", "status"] } },
    resume: true,
  });
  for await (const change of changes) {
    console.log(`  change ${change.sequence}: ${change.status}`);
    if (change.status === "ORDER_STATUS_PENDING") {
      await client.POST("/v1/orders/{order_id}:cancel", { params, body: { reason: "only an example" } });
    }
  }
  console.log("the order's stream has ended");
}

/** 401 means: get a new token, and try again. */
async function showUnauthenticated(): Promise<void> {
  try {
    await createClient({ baseUrl, token: "expired" }).GET("/v1/me/dashboard");
  } catch (error) {
    if (!(error instanceof ProblemError) || error.status !== 401) {
      throw error;
    }
    console.log(`a wrong token: ${error.code}, ${error.detail}`);
  }
}

main().catch((error: unknown) => {
  if (error instanceof ProblemError) {
    console.error(`${error.message} (request ${error.requestId ?? "without a name"})`);
    for (const { in: place, field, description } of error.errors) {
      console.error(`  ${place ?? ""} ${field}: ${description}`);
    }
  } else {
    console.error(error);
  }
  process.exitCode = 1;
});
