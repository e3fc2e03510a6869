/** How many values are kept: those of a minute. */
export const samples = 60;

/** The last values of a figure. */
export class History {
  readonly #values: number[] = [];

  /** The values, the oldest first. */
  get values(): readonly number[] {
    return this.#values;
  }

  /** Adds a value, and drops the oldest if there are too many. */
  push(value: number): void {
    this.#values.push(value);
    if (this.#values.length > samples) {
      this.#values.shift();
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#values.length = 0;
  }
}

/** Histories by name. Those of names that are gone are dropped. */
export class Histories {
  #kept = new Map<string, History>();

  /** Adds a value for each name. */
  push(values: Iterable<readonly [string, number]>): void {
    const next = new Map<string, History>();
    for (const [name, value] of values) {
      const history = this.#kept.get(name) ?? new History();
      history.push(value);
      next.set(name, history);
    }
    this.#kept = next;
  }

  /** Returns the values of a name, the oldest first. */
  of(name: string): readonly number[] {
    return this.#kept.get(name)?.values ?? [];
  }

  /** Forgets all. */
  clear(): void {
    this.#kept.clear();
  }
}

/** The path of a line over the values in a box: the newest is at the right, zero at the bottom, the largest at the top. */
export function line(values: readonly number[], width: number, height: number): string {
  const top = Math.max(...values);
  if (values.length < 2) {
    return "";
  }
  const step = width / (samples - 1);
  const first = samples - values.length;
  return values
    .map((value, i) => {
      const y = height - (top > 0 ? (value / top) * height : 0);
      return `${i === 0 ? "M" : "L"}${round((first + i) * step)} ${round(y)}`;
    })
    .join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
