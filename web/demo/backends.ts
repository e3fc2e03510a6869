import { local } from "./api.js";
import { button, fill, h } from "../page/dom.js";

/** A server behind the gateway, or its mock. */
interface Backend {
  name: string;
  service: string;
  address: string;
  state: "running" | "stopped" | "mock" | "external";
}

/** How the pages depend on each backend. */
const roles: Record<string, string> = {
  user: "The dashboard needs it.",
  order: "The page of an order needs it. The dashboard can do without it.",
  profile: "Both pages can do without it.",
  payment: "The page of an order can do without it.",
  notification: "The page of an order can do without it.",
};

const states = { running: "running", stopped: "stopped", mock: "mock, from the proto", external: "not run from here" };

/** The cards of the backends, with buttons that stop and start them. */
export class Backends {
  readonly #element: HTMLElement;
  readonly #changed: (service: string, started: boolean) => void;
  readonly #failed: (error: unknown) => void;
  readonly #switching = new Map<string, string>();
  #list: Backend[] = [];

  /** Calls changed after a backend was stopped or started, and failed if that did not work. */
  constructor(element: HTMLElement, changed: (service: string, started: boolean) => void, failed: (error: unknown) => void) {
    this.#element = element;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** Fetches the states of all backends. */
  async refresh(): Promise<void> {
    this.#list = await local<Backend[]>("GET", "/dev/backends");
    this.#show();
  }

  async #switch(backend: Backend): Promise<void> {
    const start = backend.state === "stopped";
    this.#switching.set(backend.name, start ? "Starting…" : "Stopping…");
    this.#show();
    try {
      this.#list = await local<Backend[]>("POST", `/dev/backends/${encodeURIComponent(backend.name)}/${start ? "start" : "stop"}`);
    } catch (error) {
      this.#failed(error);
      return;
    } finally {
      this.#switching.delete(backend.name);
      this.#show();
    }
    this.#changed(backend.service, start);
  }

  #show(): void {
    const services = new Map<string, Backend[]>();
    for (const backend of this.#list) {
      services.set(backend.service, [...(services.get(backend.service) ?? []), backend]);
    }
    fill(this.#element, ...[...services].map(([service, replicas]) => this.#card(service, replicas)));
  }

  #card(service: string, replicas: Backend[]): HTMLElement {
    return h(
      "article",
      { class: "service", attributes: { "aria-label": service } },
      h("h3", {}, service),
      h("p", { class: "quiet" }, roles[service] ?? "Neither page needs it."),
      ...replicas.map((backend) => this.#instance(backend)),
    );
  }

  #instance(backend: Backend): HTMLElement {
    const port = backend.address.replace(/^.*:/, "");
    const where = port === "" ? states[backend.state] : `${states[backend.state]} · port ${port}`;
    return h(
      "div",
      { class: "instance" },
      h("span", { class: `dot ${backend.state}`, attributes: { "aria-hidden": "true" } }),
      h(
        "div",
        { class: "where" },
        h("span", { class: "mono" }, backend.name),
        h("span", { class: "quiet", title: backend.address }, where),
      ),
      this.#button(backend),
    );
  }

  #button(backend: Backend): HTMLButtonElement | undefined {
    if (backend.state !== "running" && backend.state !== "stopped") {
      return undefined;
    }
    const label = backend.state === "stopped" ? "Start" : "Stop";
    const switching = this.#switching.get(backend.name);
    return button(switching ?? label, {
      id: `switch-${backend.name}`,
      class: "small",
      // Not `disabled`, so that it keeps the focus while it is busy.
      click: () => void (switching ? undefined : this.#switch(backend)),
      attributes: { "aria-label": `${switching ?? label} ${backend.name}`, "aria-disabled": String(switching !== undefined) },
    });
  }
}
