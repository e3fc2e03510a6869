import { ProblemError } from "./problem.js";

/** The connection broke before the stream had ended: there may be more messages. */
export class StreamCutError extends Error {
  constructor(options?: ErrorOptions) {
    super("the stream was cut before its end", options);
    this.name = "StreamCutError";
  }
}

/**
 * The messages of an answer in lines (`application/x-ndjson`), as in `messages`. Empty lines are signs of life. It is in a file of
 * its own for pages that are bundled without any package.
 */
export async function* lines<T>(response: Response): AsyncGenerator<T, void, undefined> {
  let rest = "";
  for await (const text of texts(response)) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      if (line.trim() !== "") {
        yield message<T>(line, response);
      }
    }
  }
  if (rest.trim() !== "") {
    throw new StreamCutError();
  }
}

/** A line is a message, unless it is an object whose one member is `error`. */
function message<T>(line: string, response: Response): T {
  const document: unknown = JSON.parse(line);
  if (typeof document === "object" && document !== null && "error" in document && Object.keys(document).length === 1) {
    throw new ProblemError(document.error, { status: response.status });
  }
  return document as T;
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
