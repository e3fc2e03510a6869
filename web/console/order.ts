/** How rows are sorted. */
export interface Order {
  column: string;
  down: boolean;
}

/** Returns the rows in an order, by what value returns for the column. Rows with the same value stay in the order they have. */
export function sorted<Row>(
  rows: readonly Row[],
  order: Order | undefined,
  value: (row: Row, column: string) => number | string | undefined,
): Row[] {
  if (!order) {
    return [...rows];
  }
  const sign = order.down ? -1 : 1;
  return rows
    .map((row) => ({ row, value: value(row, order.column) }))
    .sort((a, b) => sign * compare(a.value, b.value))
    .map(({ row }) => row);
}

function compare(a: number | string | undefined, b: number | string | undefined): number {
  if (typeof a === "string" && typeof b === "string") {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return Number(a ?? -1) - Number(b ?? -1);
}

/** Reports whether a text has all words of a query, in any order and case. */
export function matches(text: string, query: string): boolean {
  const lower = text.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}
