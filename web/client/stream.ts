import { createParser, type EventSourceMessage } from "eventsource-parser";

import { lines, longestMessage, parse, StreamCutError, texts, tooLong } from "./lines.js";
import { contextOf, eventStream, expect, mediaTypeOf, ProblemError } from "./problem.js";

export { lines, StreamCutError };

/** A message of a stream of Server-Sent Events, and its id. */
export interface StreamEvent<T> {
  readonly data: T;
  /** The value of `Last-Event-ID` that continues the stream after this message; undefined if the route sends none. */
  readonly id: string | undefined;
}

/**
 * The messages of a response in lines (`application/x-ndjson`) or in Server-Sent Events, as they arrive. Throws a ProblemError if the
 * stream ends with an error or the response is not such a stream, a StreamCutError if it was cut, and a RangeError at a message of more
 * than 32 Mi characters. Leaving the loop ends the request.
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

/** The messages of a response in Server-Sent Events, as in `messages`, with their ids. Comments are heartbeats. */
export function events<T>(response: Response): AsyncGenerator<StreamEvent<T>, void, undefined> {
  return following(response, () => undefined);
}

/** Like `events`. `onRetry` is called with the milliseconds that the gateway wants the client to wait before it connects again. */
export async function* following<T>(
  response: Response,
  onRetry: (milliseconds: number) => void,
): AsyncGenerator<StreamEvent<T>, void, undefined> {
  await expect(response, eventStream);
  let retryAfter: number | undefined;
  const setRetry = (milliseconds: number) => {
    retryAfter = milliseconds / 1000;
    onRetry(milliseconds);
  };
  for await (const { event, id, data } of parsed(lineFeeds(texts(response)), setRetry)) {
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

/** The events of a text that comes in pieces. A block without data is not an event (HTML standard, section 9.2.6). */
async function* parsed(
  pieces: AsyncIterable<string>,
  onRetry: (milliseconds: number) => void,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => ready.push(event),
    onRetry,
    onError: ({ type }) => {
      // Other errors are about unknown fields, which are ignored.
      if (type === "max-buffer-size-exceeded") {
        throw tooLong();
      }
    },
    maxBufferSize: longestMessage,
  });
  for await (const piece of pieces) {
    parser.feed(piece);
    yield* ready.splice(0);
  }
}

/** The text with line feeds for all line ends: at a carriage return, the parser would wait for the next character. */
async function* lineFeeds(pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let last = "";
  for await (const piece of pieces) {
    const text = last === "\r" && piece.startsWith("\n") ? piece.slice(1) : piece;
    last = piece.at(-1) ?? last;
    yield text.replace(/\r\n?/g, "\n");
  }
}
