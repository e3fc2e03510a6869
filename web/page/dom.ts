/** A child of an element: text, another element, or nothing. */
export type Child = Node | string | undefined;

/** Properties of an element; `data-` and `aria-` attributes are among the attributes. */
interface Properties {
  id?: string;
  class?: string;
  title?: string;
  disabled?: boolean;
  click?: () => void;
  attributes?: Record<string, string>;
}

/** Creates an element. Text stays text: nothing is parsed as HTML. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (properties.id) {
    element.id = properties.id;
  }
  if (properties.class) {
    element.className = properties.class;
  }
  if (properties.title) {
    element.title = properties.title;
  }
  if (properties.disabled) {
    element.setAttribute("disabled", "");
  }
  if (properties.click) {
    element.addEventListener("click", properties.click);
  }
  for (const [attribute, value] of Object.entries(properties.attributes ?? {})) {
    element.setAttribute(attribute, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Creates a button. */
export function button(label: string, properties: Properties): HTMLButtonElement {
  return h("button", { ...properties, attributes: { type: "button", ...properties.attributes } }, label);
}

/** Returns the element of the page with this id. */
export function byId<Type extends HTMLElement = HTMLElement>(id: string): Type {
  const element = document.getElementById(id);
  if (!element) {
    throw new Error(`the page has no #${id}`);
  }
  return element as Type;
}

/** Sets the text of an element, unless it has it already: a selection in it stays, and nothing is drawn. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Sets an attribute of an element, unless it has it already. */
export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/** Replaces the children of an element. The focus stays on the same id, for people who use the keyboard. */
export function fill(element: HTMLElement, ...children: Child[]): void {
  const focused = element.contains(document.activeElement) ? document.activeElement?.id : undefined;
  element.replaceChildren(...children.filter((child) => child !== undefined));
  if (focused === undefined) {
    return;
  }
  const again = focused === "" ? null : document.getElementById(focused);
  (again ?? element.closest<HTMLElement>("[tabindex]"))?.focus({ preventScroll: true });
}
