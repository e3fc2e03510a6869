import { contextOf, expect, ndjson, ProblemError } from "./problem.js";

/** A stream was cut before its end: there may be more messages. */
export class StreamCutError extends Error {
  constructor(options?: ErrorOptions) {
    super("the stream was cut before its end", options);
    this.name = "StreamCutError";
  }
}

/** Longest message of a stream in UTF-16 code units: 4 MiB of text, gRPC's limit, are six times as long in JSON if all is escaped. */
export const longestMessage = 1 << 25;

/** The error for a message that exceeds the limit. */
export function tooLong(): RangeError {
  return new RangeError(`a message of the stream is longer than ${longestMessage} characters`);
}

/**
 * The messages of a response in lines (`application/x-ndjson`), as in `messages`. Empty lines are heartbeats. This file imports no
 * package, so that pages can be bundled without npm.
 */
export async function* lines<T>(response: Response): AsyncGenerator<T, void, undefined> {
  await expect(response, ndjson);
  for await (const line of split(texts(response))) {
    if (line.trim() !== "") {
      yield message<T>(line, response);
    }
  }
}

/** The lines of a text that comes in pieces. Each piece is scanned once, however long the line. */
async function* split(pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  const line: string[] = [];
  let length = 0;
  for await (const piece of pieces) {
    for (const [i, part] of piece.split("\n").entries()) {
      if (i > 0) {
        yield line.splice(0).join("");
        length = 0;
      }
      line.push(part);
      length += part.length;
      if (length > longestMessage) {
        throw tooLong();
      }
    }
  }
  if (line.join("").trim() !== "") {
    throw new StreamCutError();
  }
}

/** The message of a line. An object whose only member is `error`, a problem document, is thrown. */
function message<T>(line: string, response: Response): T {
  const document = parse(line, response) as T & { error?: { code?: unknown; status?: unknown } | null };
  const error = document?.error;
  if (typeof error?.code === "string" && typeof error.status === "number" && Object.keys(document).length === 1) {
    throw new ProblemError(error, contextOf(response));
  }
  return document;
}

/** Parses JSON of a stream. Anything else does not come from a gateway, and is a ProblemError. */
export function parse(text: string, response: Response): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError({ detail: `not JSON in the stream: ${text.slice(0, 200)}` }, contextOf(response));
  }
}

/** The text of the body in the pieces in which it arrives. */
export async function* texts(response: Response): AsyncGenerator<string, void, undefined> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  try {
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      yield decoder.decode(chunk.value, { stream: true });
    }
  } catch (error) {
    // Fetch rejects with a TypeError when the connection breaks, and with another error after an abort.
    throw error instanceof TypeError ? new StreamCutError({ cause: error }) : error;
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}
