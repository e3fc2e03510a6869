import { createParser, type EventSourceMessage } from "eventsource-parser";

import { lines, StreamCutError, texts } from "./lines.js";
import { ProblemError } from "./problem.js";

export { lines, StreamCutError };

/** A message of a stream of Server-Sent Events. */
export interface StreamEvent<T> {
  readonly data: T;
  /** What to say in `Last-Event-ID` to get what follows; undefined if the route does not give one. */
  readonly id: string | undefined;
}

/**
 * The messages of an answer in lines (`application/x-ndjson`) or in Server-Sent Events, whichever it is, as they come. Throws a
 * ProblemError when the stream ends with an error and a StreamCutError when it has no end. Leaving the loop ends the request.
 */
export async function* messages<T>(response: Response): AsyncGenerator<T, void, undefined> {
  if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    for await (const event of events<T>(response)) {
      yield event.data;
    }
  } else {
    yield* lines<T>(response);
  }
}

/** The messages of an answer in Server-Sent Events, as in `messages`, with their ids. Comments are signs of life. */
export async function* events<T>(response: Response): AsyncGenerator<StreamEvent<T>, void, undefined> {
  const parsed: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => parsed.push(event) });
  for await (const text of texts(response)) {
    parser.feed(text);
    for (const event of parsed.splice(0)) {
      switch (event.event) {
        case undefined:
        case "message":
          yield { data: JSON.parse(event.data) as T, id: event.id };
          break;
        case "error":
          throw new ProblemError(JSON.parse(event.data), { status: response.status });
        case "end":
          return;
      }
    }
  }
  throw new StreamCutError();
}
