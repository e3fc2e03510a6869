/** How fresh the figures are. Paused: nobody looks at the page, so nothing is fetched. */
export type Freshness = "connecting" | "live" | "stale" | "paused";

/** What of an EventSource is used. */
export interface Source {
  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void;
  close(): void;
}

/** The gateway sends the state every second. Without one for this long, in milliseconds, the last one is old. */
export const staleAfter = 2_500;
/** A connection on which nothing has come for this long, in milliseconds, is given up: the gateway may have lost it. */
export const deadAfter = 10_000;
/** How long to wait before connecting again, in milliseconds. */
export const retryAfter = 1_000;

/** A connection to the events of the gateway that is made again whenever it ends, whatever the reason. */
export class Live {
  readonly #open: () => Source;
  readonly #handlers: Record<string, (data: unknown) => void>;
  readonly #changed: (freshness: Freshness) => void;
  #source: Source | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #next: ReturnType<typeof setTimeout> | undefined;
  #freshness: Freshness = "paused";

  /** Calls the handler of an event with its data, which is JSON, and changed when the freshness has changed. */
  constructor(open: () => Source, handlers: Record<string, (data: unknown) => void>, changed: (freshness: Freshness) => void) {
    this.#open = open;
    this.#handlers = handlers;
    this.#changed = changed;
  }

  /** Connects, unless it already has. */
  start(): void {
    if (this.#freshness === "paused") {
      this.#become("connecting");
      this.#connect();
    }
  }

  /** Ends the connection until the next start. */
  pause(): void {
    this.#end();
    this.#become("paused");
  }

  #connect(): void {
    this.#end();
    const source = this.#open();
    this.#source = source;
    for (const [name, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(name, ({ data }) => {
        if (source === this.#source) {
          // The figures are shown before they count as fresh.
          handle(JSON.parse(String(data)));
          this.#become("live");
          this.#listen();
        }
      });
    }
    // A browser gives up after an error response, such as that of a proxy, and otherwise waits for longer than we do.
    source.addEventListener("error", () => {
      if (source === this.#source) {
        this.#end();
        this.#become("stale");
        this.#next = setTimeout(() => this.#connect(), retryAfter);
      }
    });
    this.#listen();
  }

  /** Waits for the next event. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#become("stale");
      this.#silence = setTimeout(() => this.#connect(), deadAfter - staleAfter);
    }, staleAfter);
  }

  #end(): void {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#silence);
    clearTimeout(this.#next);
  }

  #become(freshness: Freshness): void {
    if (freshness !== this.#freshness) {
      this.#freshness = freshness;
      this.#changed(freshness);
    }
  }
}
