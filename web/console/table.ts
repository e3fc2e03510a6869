import { h, setText } from "../page/dom.js";
import { type Order, sorted } from "./order.js";

/** Rows change places only at every so many updates, so that one can read them. */
const turns = 5;

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

/** What a table shows. */
export interface Options<Row> {
  /** What the table is called for screen readers. */
  name: string;
  /** The first one names its row. */
  columns: Column<Row>[];
  /** Returns what identifies a row; no two have the same. */
  key: (row: Row) => string;
  /** How the rows are sorted at first. Without it they stay in the order that they are given in. */
  order?: Order;
  /** What is shown instead of no rows. */
  empty: string;
}

interface Shown<Row> {
  element: HTMLElement;
  updates: Update<Row>[];
}

/**
 * A table that is brought up to date in place: rows and cells stay the same elements, and so focus and selection stay.
 * On a narrow screen its style makes a card of each row; the roles are written out because that would take them away.
 */
export class Table<Row> {
  readonly element: HTMLElement;
  readonly #body: HTMLElement;
  readonly #columns: Column<Row>[];
  readonly #key: (row: Row) => string;
  readonly #headings = new Map<string, HTMLElement>();
  readonly #shown = new Map<string, Shown<Row>>();
  readonly #table: HTMLElement;
  readonly #empty: HTMLElement;
  #rows: readonly Row[] = [];
  #turn = 0;
  #order: Order | undefined;

  constructor({ name, columns, key, order, empty }: Options<Row>) {
    this.#columns = columns;
    this.#key = key;
    this.#order = order;
    this.#body = h("tbody", { attributes: { role: "rowgroup" } });
    this.#table = h(
      "table",
      { attributes: { role: "table", "aria-label": name } },
      h(
        "thead",
        { attributes: { role: "rowgroup" } },
        h("tr", { attributes: { role: "row" } }, ...columns.map((c) => this.#heading(c))),
      ),
      this.#body,
    );
    this.#empty = h("p", { class: "quiet empty" }, empty);
    // Whether there are rows is not known yet.
    this.#empty.hidden = true;
    this.element = h("div", { class: "card table" }, this.#table, this.#empty);
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
    const move = this.#turn++ % turns === 0 && !this.#inUse();
    place(
      this.#body,
      wanted.map((row) => this.#row(row)),
      move,
    );
    this.#table.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0;
  }

  /** Reports whether somebody is in the rows: then none moves away from under them. */
  #inUse(): boolean {
    return this.#body.contains(document.activeElement) || this.#body.matches(":hover");
  }

  #row(row: Row): HTMLElement {
    const key = this.#key(row);
    let shown = this.#shown.get(key);
    if (!shown) {
      shown = this.#create();
      this.#shown.set(key, shown);
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
    this.#turn = 0;
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

/** Brings the children of a parent into an order. Without move, only those that are new get a place. */
function place(parent: HTMLElement, children: HTMLElement[], move: boolean): void {
  let before: Element | null = null;
  for (const child of children) {
    const next: Element | null = before ? before.nextElementSibling : parent.firstElementChild;
    if (child !== next && (move || child.parentElement !== parent)) {
      parent.insertBefore(child, next);
    }
    before = child;
  }
}
