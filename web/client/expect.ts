import { contextOf, mediaTypeOf, ProblemError, problemFrom } from "./problem.js";

/** Media types of answers; without a type there may be a body that is empty. */
export const json = /^$|[/+]json$/;
export const ndjson = /^application\/(x-ndjson|ndjson|jsonl)$/;
export const eventStream = /^text\/event-stream$/;

/**
 * Lets a success of one of these media types pass. Throws a ProblemError for anything else, such as the page of a proxy, and ends
 * the request.
 */
export async function expect(response: Response, types: RegExp): Promise<void> {
  if (!response.ok) {
    throw await problemFrom(response);
  }
  const type = mediaTypeOf(response);
  if (!types.test(type)) {
    await response.body?.cancel().catch(() => undefined);
    throw new ProblemError({ detail: `an answer of an unexpected type: ${type || "none"}` }, contextOf(response));
  }
}
