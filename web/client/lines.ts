import { expect, ndjson } from "./expect.js";
import { contextOf, ProblemError } from "./problem.js";

/** The connection broke before the stream had ended: there may be more messages. */
export class StreamCutError extends Error {
  constructor(options?: ErrorOptions) {
    super("the stream was cut before its end", options);
    this.name = "StreamCutError";
  }
}

/** Longest message of a stream in UTF-16 code units: gRPC's 4 MiB of text take six times as much in JSON if all is escaped. */
export const longest = 1 << 25;

/** A stream that sends more without an end of it. */
export function tooLong(): RangeError {
  return new RangeError(`a message of the stream is longer than ${longest} characters`);
}

/**
 * The messages of an answer in lines (`application/x-ndjson`), as in `messages`. Empty lines are signs of life. It is in a file of
 * its own for pages that are bundled without any package.
 */
export async function* lines<T>(response: Response): AsyncGenerator<T, void, undefined> {
  await expect(response, ndjson);
  for await (const line of split(texts(response))) {
    if (line.trim() !== "") {
      yield message<T>(line, response);
    }
  }
}

/** The lines of a text that comes in pieces. Each piece is looked at once, however long the line. */
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
      if (length > longest) {
        throw tooLong();
      }
    }
  }
  if (line.join("").trim() !== "") {
    throw new StreamCutError();
  }
}

/** A line is a message, unless it is an object whose one member is `error`, a problem document. */
function message<T>(line: string, response: Response): T {
  const document = parse(line, response) as T & { error?: { code?: unknown; status?: unknown } | null };
  const error = document?.error;
  if (typeof error?.code === "string" && typeof error.status === "number" && Object.keys(document).length === 1) {
    throw new ProblemError(error, contextOf(response));
  }
  return document;
}

/** Reads what a stream says in JSON. Anything else is no gateway's, and a ProblemError. */
export function parse(text: string, response: Response): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError({ detail: `not JSON in the stream: ${text.slice(0, 200)}` }, contextOf(response));
  }
}

/** The text of the body as it comes. */
export async function* texts(response: Response): AsyncGenerator<string, void, undefined> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  try {
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      yield decoder.decode(chunk.value, { stream: true });
    }
  } catch (error) {
    // That is how fetch tells that the connection broke; an abort is not a TypeError.
    throw error instanceof TypeError ? new StreamCutError({ cause: error }) : error;
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}
