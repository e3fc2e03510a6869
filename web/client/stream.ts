import { createParser, type EventSourceMessage } from "eventsource-parser";

import { eventStream, expect } from "./expect.js";
import { lines, longest, parse, StreamCutError, texts, tooLong } from "./lines.js";
import { contextOf, mediaTypeOf, ProblemError } from "./problem.js";

export { lines, StreamCutError };

/** A message of a stream of Server-Sent Events. */
export interface StreamEvent<T> {
  readonly data: T;
  /** What to say in `Last-Event-ID` to get what follows; undefined if the route does not give one. */
  readonly id: string | undefined;
}

/**
 * The messages of an answer in lines (`application/x-ndjson`) or in Server-Sent Events, whichever it is, as they come. Throws a
 * ProblemError when the stream ends with an error or the answer is no such stream, a StreamCutError when it has no end, and a
 * RangeError at a message of more than 32 Mi characters. Leaving the loop ends the request.
 */
export async function* messages<T>(response: Response): AsyncGenerator<T, void, undefined> {
  if (eventStream.test(mediaTypeOf(response))) {
    for await (const event of events<T>(response)) {
      yield event.data;
    }
  } else {
    yield* lines<T>(response);
  }
}

/** The messages of an answer in Server-Sent Events, as in `messages`, with their ids. Comments are signs of life. */
export function events<T>(response: Response): AsyncGenerator<StreamEvent<T>, void, undefined> {
  return following(response, () => undefined);
}

/** As `events`; `onRetry` is called with the milliseconds after which the gateway wants the client to connect again. */
export async function* following<T>(
  response: Response,
  onRetry: (milliseconds: number) => void,
): AsyncGenerator<StreamEvent<T>, void, undefined> {
  await expect(response, eventStream);
  let retryAfter: number | undefined;
  const noteRetry = (milliseconds: number) => {
    retryAfter = milliseconds / 1000;
    onRetry(milliseconds);
  };
  for await (const { event, id, data } of parsed(lineFeeds(texts(response)), noteRetry)) {
    switch (event) {
      case undefined:
      case "message":
        yield { data: parse(data, response) as T, id };
        break;
      case "error":
        throw new ProblemError(parse(data, response), contextOf(response));
      case "reconnect":
        throw new ProblemError(parse(data, response), { ...contextOf(response), retryAfter });
      case "end":
        return;
    }
  }
  throw new StreamCutError();
}

/** The events of a text that comes in pieces. What has no data is no event (HTML standard, section 9.2.6). */
async function* parsed(
  pieces: AsyncIterable<string>,
  onRetry: (milliseconds: number) => void,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => ready.push(event),
    onRetry,
    onError: ({ type }) => {
      // The others are of fields that are not known, which are passed over.
      if (type === "max-buffer-size-exceeded") {
        throw tooLong();
      }
    },
    maxBufferSize: longest,
  });
  for await (const piece of pieces) {
    parser.feed(piece);
    yield* ready.splice(0);
  }
}

/** The text with other line ends made line feeds: the parser keeps a carriage return until it knows what follows, if anything. */
async function* lineFeeds(pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let last = "";
  for await (const piece of pieces) {
    const text = last === "\r" && piece.startsWith("\n") ? piece.slice(1) : piece;
    last = piece.at(-1) ?? last;
    yield text.replace(/\r\n?/g, "\n");
  }
}
