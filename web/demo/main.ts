import type { DashboardV1Dashboard, OrderpageV1OrderPage, OrderV1Order, paths } from "@portico/client/schema";
import { Api, type Exchange, local, reason } from "./api.js";
import { Backends } from "./backends.js";
import { burst } from "./burst.js";
import { Caller } from "./caller.js";
import { showDashboard } from "./dashboard.js";
import { byId, fill, h } from "../page/dom.js";
import { indented, showExchange, summary } from "./exchange.js";
import { showOrderPage } from "./orderpage.js";
import { Orders } from "./orders.js";
import { notice } from "./parts.js";
import { showWaterfall } from "./waterfall.js";

// Checked against the OpenAPI document: a route that was removed does not compile.
const mine: keyof paths = "/v1/me/dashboard";
const anyones: keyof paths = "/v1/users/{user_id}/dashboard";
const orderPage: keyof paths = "/v1/orders/{order_id}/page";
const pageOf = (orderId: string) => orderPage.replace("{order_id}", encodeURIComponent(orderId));
/** Orders in the demo data: one of alice with two payments, and one of bob. */
const orderOf = { alice: "ord_01kj2wq5m7t9r4b8x6h3g1f0ca", bob: "ord_01kh7b3c9f6g2j8m4q0r5t1vwb" };

/** What a caller is offered to ask for: first what is their own. */
function routesFor(subject: string | undefined): string[] {
  const [first, second] = subject === "bob" ? (["bob", "alice"] as const) : (["alice", "bob"] as const);
  return [mine, ...[first, second].map((user) => anyones.replace("{user_id}", user)), pageOf(orderOf[first])];
}

/** What a composite answers with. */
type Page = DashboardV1Dashboard | OrderpageV1OrderPage;

/** A composite that the page can ask for. */
interface Composite {
  title: string;
  about: string;
  /** The services of which it consists. */
  sources: string[];
  show(element: HTMLElement, exchange: Exchange<Page>): void;
}

const dashboard: Composite = {
  title: "Dashboard",
  about: "One request to the gateway, put together from the user, order and profile backends, which it calls at the same time.",
  sources: ["user", "order", "profile"],
  show: (element, exchange) => showDashboard(element, exchange as Exchange<DashboardV1Dashboard>, actions),
};

const pageOfAnOrder: Composite = {
  title: "Page of an order",
  about: "One request to the gateway: first the order, then all that depends on it at the same time, with its payments in one batch.",
  sources: ["order", "payment", "notification", "profile"],
  show: (element, exchange) => showOrderPage(element, exchange as Exchange<OrderpageV1OrderPage>),
};

function chosen(): Composite {
  return pathChoice.value.startsWith("/v1/orders/") ? pageOfAnOrder : dashboard;
}

/** How often, and at which interval in milliseconds, to check whether a backend that was started is used again. */
const tries = 20;
const pause = 500;

const pathChoice = byId<HTMLSelectElement>("path");
const parts = byId("parts");

const caller = new Caller(begin);
const api = new Api(() => caller.ended());
const orders = new Orders(api, byId("watch"), () => void refresh(), complain);
const actions = {
  open: (order: OrderV1Order) => open(pageOf(order.orderId ?? "")),
  pay: (order: OrderV1Order) => void orders.pay(order),
  cancel: (order: OrderV1Order) => void orders.cancel(order),
};
const backends = new Backends(
  byId("backends"),
  (service, started) => void follow(service, started),
  (error) => complain("The backend was not switched", error),
);

/** Counts requests for a page, so that a late response does not replace a newer one. */
let turn = 0;

/** Fetches and shows the chosen page. Returns whether it is complete; undefined if a later call replaced it. */
async function refresh(): Promise<boolean | undefined> {
  const own = ++turn;
  const { title, about, show } = chosen();
  parts.setAttribute("aria-busy", "true");
  try {
    const exchange = await api.send<Page>("GET", pathChoice.value);
    if (own !== turn) {
      return undefined;
    }
    byId("dashboard-title").textContent = title;
    byId("about").textContent = about;
    showExchange(byId("exchange"), exchange);
    showWaterfall(byId("calls"), exchange);
    show(parts, exchange);
    byId("raw").textContent = indented(exchange.text);
    byId("announcement").textContent = summary(title, exchange);
    if (exchange.data) {
      // The request has prolonged the session.
      void caller.check().catch(() => undefined);
    }
    return exchange.data !== undefined && !exchange.data.partialErrors?.length;
  } catch (error) {
    if (own === turn) {
      complain("No response", error);
    }
    return undefined;
  } finally {
    if (own === turn) {
      parts.setAttribute("aria-busy", "false");
    }
  }
}

/** Removes what is of one caller. */
function clear(): void {
  turn++;
  orders.leave();
  for (const id of ["exchange", "calls", "notices", "parts", "raw", "burst-result", "announcement"]) {
    fill(byId(id));
  }
  pathChoice.replaceChildren();
}

/** Begins anew as another caller, or as nobody; while that is not known, there is nothing to show. */
function begin(): void {
  clear();
  if (caller.known) {
    routesFor(caller.subject).forEach(offer);
    void refresh();
  }
}

/** Finds out who is logged in. */
async function identify(): Promise<void> {
  try {
    await caller.check();
  } catch (error) {
    complain("It is not known who is logged in", error);
  }
}

/** Fetches and shows a page that need not be among the choices yet. */
function open(path: string): void {
  if (![...pathChoice.options].some(({ value }) => value === path)) {
    offer(path);
  }
  pathChoice.value = path;
  void refresh();
}

function offer(path: string): void {
  pathChoice.append(h("option", { attributes: { value: path } }, `GET ${path}`));
}

/** Shows how the page changes. A circuit breaker tries a backend that is back only after a while. */
async function follow(service: string, started: boolean): Promise<void> {
  fill(byId("notices"));
  if (!chosen().sources.includes(service)) {
    return;
  }
  for (let i = 0; (await refresh()) === false && started && i < tries; i++) {
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function complain(what: string, error: unknown): void {
  fill(byId("notices"), notice("bad", `${what}: ${reason(error)}`));
}

/** Runs the action of a button, one at a time. */
function whilePressed(button: HTMLButtonElement, act: () => Promise<unknown>): void {
  let busy = false;
  button.addEventListener("click", async () => {
    if (busy) {
      return;
    }
    busy = true;
    button.setAttribute("aria-disabled", "true");
    fill(byId("notices"));
    try {
      await act();
    } catch (error) {
      complain("It did not work", error);
    } finally {
      busy = false;
      button.setAttribute("aria-disabled", "false");
    }
  });
}

/** Shows a link if it has a target. */
function show(id: string, to: string | undefined): void {
  const link = byId<HTMLAnchorElement>(id);
  link.hidden = !to;
  link.href = to ?? "";
}

async function showInfo(): Promise<void> {
  const info = await local<{ version: string; readme: string; admin?: string; routes: number }>("GET", "/dev/info");
  const { version, readme, admin, routes } = info;
  show("link-readme", readme);
  show("link-metrics", admin && `${admin}/metrics`);
  show("link-upstreams", admin && `${admin}/upstreams`);
  const only = "For development only: anyone can call as anyone.";
  byId("footer").textContent = `portico dev, version ${version}, ${routes} routes. ${only}`;
}

async function start(): Promise<void> {
  pathChoice.addEventListener("change", () => void refresh());
  whilePressed(byId<HTMLButtonElement>("send"), refresh);
  whilePressed(byId<HTMLButtonElement>("place"), () => orders.place());
  whilePressed(byId<HTMLButtonElement>("burst"), () => burst(api, pathChoice.value, byId("burst-result")));
  whilePressed(byId<HTMLButtonElement>("logout"), () => caller.logOut(false));
  whilePressed(byId<HTMLButtonElement>("logout-everywhere"), () => caller.logOut(true));
  // A backend may have been switched elsewhere meanwhile, and the user may have logged out in another tab.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      void backends.refresh().catch(() => undefined);
      void identify();
    }
  });
  // What the browser keeps for its back button has nothing of the user, who may have logged out by then.
  addEventListener("pagehide", () => caller.forget());
  addEventListener("pageshow", ({ persisted }) => void (persisted && identify()));
  await Promise.all([backends.refresh(), showInfo(), identify()]);
}

start().catch((error: unknown) => complain("The page could not start", error));
