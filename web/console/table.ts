import { h, setText } from "../page/dom.js";
import { type Order, sorted } from "./order.js";

/** Shows a row in a cell. */
export type Update<Row> = (row: Row) => void;

/** A column of a table. */
export interface Column<Row> {
  name: string;
  /** The class of its cells: "number", "state" and so on. */
  kind?: string;
  /** What the rows are sorted by. Without it the column cannot be sorted. Numbers are sorted downwards first. */
  by?: (row: Row) => number | string;
  /** Makes the content of a new cell and returns what brings it up to date. It is called again for each row that is new. */
  cell: (cell: HTMLElement) => Update<Row>;
}

/** A cell that has nothing but text. */
export function text<Row>(of: (row: Row) => string): (cell: HTMLElement) => Update<Row> {
  return (cell) => (row) => setText(cell, of(row));
}

interface Shown<Row> {
  element: HTMLElement;
  updates: Update<Row>[];
}

/**
 * A table that is brought up to date in place: rows and cells stay the same elements, so that focus, selection, and what is unfolded stay.
 * Below the width of a phone its style makes a card of each row; the roles are written out because that would take them away.
 */
export class Table<Row> {
  readonly element: HTMLElement;
  readonly #body: HTMLElement;
  readonly #columns: Column<Row>[];
  readonly #key: (row: Row) => string;
  readonly #headings = new Map<string, HTMLElement>();
  readonly #shown = new Map<string, Shown<Row>>();
  #rows: readonly Row[] = [];
  #order: Order | undefined;

  /** The first column names its row. The key is that of a row; no two rows have the same. */
  constructor(name: string, columns: Column<Row>[], key: (row: Row) => string, order?: Order) {
    this.#columns = columns;
    this.#key = key;
    this.#order = order;
    this.#body = h("tbody", { attributes: { role: "rowgroup" } });
    this.element = h(
      "table",
      { attributes: { role: "table", "aria-label": name } },
      h("thead", { attributes: { role: "rowgroup" } }, h("tr", { attributes: { role: "row" } }, ...columns.map((c) => this.#heading(c)))),
      this.#body,
    );
    this.#mark();
  }

  /** Shows these rows. */
  update(rows: readonly Row[]): void {
    this.#rows = rows;
    const keys = new Set(rows.map(this.#key));
    for (const [key, { element }] of this.#shown) {
      if (!keys.has(key)) {
        element.remove();
        this.#shown.delete(key);
      }
    }
    const wanted = sorted(rows, this.#order, (row, name) => this.#columns.find((c) => c.name === name)?.by?.(row));
    const elements = wanted.map((row) => this.#row(row));
    // Rows do not move away from under somebody who is in them.
    if (!this.#inUse()) {
      place(this.#body, elements);
    }
  }

  #inUse(): boolean {
    return this.#body.contains(document.activeElement) || this.#body.matches(":hover");
  }

  #row(row: Row): HTMLElement {
    const key = this.#key(row);
    let shown = this.#shown.get(key);
    if (!shown) {
      shown = this.#create();
      this.#shown.set(key, shown);
      this.#body.append(shown.element);
    }
    for (const update of shown.updates) {
      update(row);
    }
    return shown.element;
  }

  #create(): Shown<Row> {
    const element = h("tr", { attributes: { role: "row" } });
    const updates = this.#columns.map(({ name, kind, cell }, i) => {
      const properties = { ...(kind && { class: kind }), attributes: { "data-column": name } };
      const made = i === 0 ? h("th", properties) : h("td", properties);
      made.setAttribute("role", i === 0 ? "rowheader" : "cell");
      if (i === 0) {
        made.setAttribute("scope", "row");
      }
      element.append(made);
      return cell(made);
    });
    return { element, updates };
  }

  #heading(column: Column<Row>): HTMLElement {
    const heading = h("th", { ...(column.kind && { class: column.kind }), attributes: { role: "columnheader", scope: "col" } });
    if (column.by) {
      const click = () => this.#sortBy(column);
      heading.append(h("button", { class: "sort", click, attributes: { type: "button" } }, column.name));
      this.#headings.set(column.name, heading);
    } else {
      heading.append(column.name);
    }
    return heading;
  }

  #sortBy({ name, kind }: Column<Row>): void {
    const down = this.#order?.column === name ? !this.#order.down : kind === "number";
    this.#order = { column: name, down };
    this.#mark();
    this.update(this.#rows);
  }

  #mark(): void {
    for (const [name, heading] of this.#headings) {
      if (name === this.#order?.column) {
        heading.setAttribute("aria-sort", this.#order.down ? "descending" : "ascending");
      } else {
        heading.removeAttribute("aria-sort");
      }
    }
  }
}

/** Brings the children of an element into an order. Those that are right are not touched. */
function place(parent: HTMLElement, children: HTMLElement[]): void {
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) {
      at = at.nextElementSibling;
    } else {
      parent.insertBefore(child, at);
    }
  }
}
