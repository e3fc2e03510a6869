import { ProblemError, problemFrom } from "../client/problem.js";
import { button, fill, h, setText } from "../page/dom.js";
import type { Action, Field, Values } from "./actions.js";
import type { Credential } from "./credential.js";

/** The dialog that asks for the credential, says what an action will do, does it, and says what came of it. */
export class ActionDialog {
  readonly element = h("dialog", {
    id: "action",
    attributes: { "aria-labelledby": "action-title", "aria-describedby": "action-effect" },
  });
  readonly #credential: Credential;
  readonly #instance: () => string;
  #action: Action | undefined;
  #form: HTMLFormElement | undefined;
  #busy = false;

  /** Instance is the name of the gateway that acts. */
  constructor(credential: Credential, instance: () => string) {
    this.#credential = credential;
    this.#instance = instance;
  }

  /** Opens the dialog for an action. */
  show(action: Action): void {
    this.#action = action;
    const effect = h("p", { id: "action-effect", class: "effect" });
    const submit = h("button", { class: "primary", attributes: { type: "submit" } });
    this.#form = h(
      "form",
      {},
      h("h2", { id: "action-title" }, action.title),
      ...action.fields.map((field) => this.#field(field)),
      effect,
      h("p", { class: "quiet" }, `Gateway: ${this.#instance()}. The action is logged.`),
      h("label", { id: "action-credential" }, "Admin credential", h("input", { attributes: secret })),
      h("div", { id: "action-result", attributes: { role: "alert" } }),
      h("div", { class: "buttons" }, button("Cancel", { id: "action-close", click: () => this.element.close() }), submit),
    );
    const say = () => {
      const values = this.#values();
      setText(effect, action.effect(values));
      setText(submit, action.verb(values));
    };
    this.#form.addEventListener("input", say);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    fill(this.element, this.#form);
    this.#ask();
    say();
    this.element.showModal();
  }

  #field({ name, label, options, value, placeholder }: Field): HTMLElement {
    if (!options) {
      const input = h("input", {
        attributes: { type: "text", name, required: "", autocomplete: "off", ...(placeholder && { placeholder }) },
      });
      return h("label", {}, label, input);
    }
    const list = h(
      "select",
      { attributes: { name } },
      ...options.map(([of, text]) => h("option", { attributes: { value: of } }, text)),
    );
    list.value = value ?? options[0]?.[0] ?? "";
    return h("label", {}, label, list);
  }

  #values(): Values {
    const values: Record<string, string> = {};
    for (const [name, value] of new FormData(this.#form)) {
      values[name] = String(value);
    }
    return values;
  }

  /** Asks for the credential, unless it is known. */
  #ask(): void {
    const label = this.element.querySelector<HTMLElement>("#action-credential");
    const input = label?.querySelector("input");
    if (label && input) {
      label.hidden = this.#credential.value !== "";
      input.required = !label.hidden;
      input.value = "";
    }
  }

  async #submit(): Promise<void> {
    const action = this.#action;
    if (!action || this.#busy) {
      return;
    }
    const { credential, ...values } = this.#values();
    if (credential) {
      this.#credential.set(credential);
    }
    this.#busy = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      const { done, changed } = await post(action.name, action.body(values), this.#credential.value);
      this.#finish(done, changed);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busy = false;
      this.element.removeAttribute("aria-busy");
    }
  }

  #finish(done: string, changed: string[] | undefined): void {
    const close = button("Close", { id: "action-close", class: "primary", click: () => this.element.close() });
    const settings =
      changed && changed.length > 0 ? h("ul", { class: "mono" }, ...changed.map((name) => h("li", {}, name))) : undefined;
    fill(
      this.element,
      h("h2", { id: "action-title" }, this.#action?.title),
      h(
        "div",
        { id: "action-result", class: "notice good", attributes: { role: "alert" } },
        h("p", { id: "action-effect" }, done),
        settings,
      ),
      h("div", { class: "buttons" }, close),
    );
    close.focus();
  }

  #fail(error: unknown): void {
    if (error instanceof ProblemError && error.status === 401) {
      this.#credential.clear();
      this.#ask();
    }
    const result = this.element.querySelector<HTMLElement>("#action-result");
    if (result) {
      result.className = "notice bad";
      fill(result, ...reasons(error).map((reason) => h("p", {}, reason)));
    }
    this.element.querySelector<HTMLElement>("#action-credential:not([hidden]) input")?.focus();
  }
}

/** The attributes of the field of the credential, which is sent in a header. */
const secret = {
  type: "password",
  name: "credential",
  autocomplete: "off",
  pattern: "[ -~]+",
  title: "letters, digits and signs of ASCII",
};

/** The response to an action that was done. */
interface Result {
  done: string;
  changed?: string[];
}

/** Sends an action. Throws a ProblemError for an error response. */
async function post(name: string, body: Record<string, unknown>, credential: string): Promise<Result> {
  const response = await fetch(`actions/${name}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${credential}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
  });
  if (!response.ok) {
    throw await problemFrom(response);
  }
  return (await response.json()) as Result;
}

/** Why an action was not done: what the gateway says, and the faults of a configuration. */
function reasons(error: unknown): string[] {
  if (error instanceof ProblemError) {
    const faults = (error.problem as { faults?: unknown }).faults;
    return [error.detail, ...(Array.isArray(faults) ? faults.map(String) : [])];
  }
  // Fetch throws a TypeError if there is no response, or if a header cannot be sent.
  return [
    error instanceof TypeError ? "The gateway does not respond. It may have done it or not: look at its state." : String(error),
  ];
}
