import type { FieldError, Problem } from "@portico/client/schema";

/** What a response says of an error outside its problem document. */
export interface ProblemContext {
  /** HTTP status, for a document without one. */
  status: number;
  /** Seconds, from the header Retry-After. */
  retryAfter?: number | undefined;
  /** From the header X-Request-Id, for a document without one. */
  requestId?: string | undefined;
}

/** An error response of the gateway, or an error that ended a stream (RFC 9457). */
export class ProblemError extends Error {
  /** HTTP status. For an error in a stream, the one that the response would have had. */
  readonly status: number;
  /** Name of the google.rpc.Code, such as `NOT_FOUND`, for programs to compare. `UNKNOWN` if the response has none. */
  readonly code: string;
  /** What was wrong with this request, for people. */
  readonly detail: string;
  /** The fields that are wrong, in their JSON spelling. */
  readonly errors: readonly FieldError[];
  /** Id of the request, to quote when asking for help. */
  readonly requestId: string | undefined;
  /** Where a browser can log in, if the request needs a session and there is none, or it has ended: a path of the gateway. */
  readonly login: string | undefined;
  /** When to try again, in seconds from the response. */
  readonly retryAfter: number | undefined;
  /** The whole document. */
  readonly problem: Problem;

  /** Completes a document that lacks something, or is not a problem document, from the context. */
  constructor(document: unknown, context: ProblemContext) {
    const problem = complete(document, context);
    super(`${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`);
    this.name = "ProblemError";
    this.status = problem.status;
    this.code = problem.code;
    this.detail = problem.detail ?? problem.title;
    this.errors = problem.errors ?? [];
    this.requestId = problem.request_id ?? context.requestId;
    this.login = problem.login;
    this.retryAfter = context.retryAfter;
    this.problem = problem;
  }
}

/** Reads an error response. It never rejects: a response without a problem document, such as a proxy's page, becomes one. */
export async function problemFrom(response: Response): Promise<ProblemError> {
  const context = contextOf(response);
  // A response to HEAD has no body, and one that is cut off counts as none.
  const text = await response.text().catch(() => "");
  try {
    return new ProblemError(JSON.parse(text), context);
  } catch {
    return new ProblemError({ title: response.statusText, detail: plain(response, text) }, context);
  }
}

/** Media types of responses. A response without a type may have an empty body. */
export const json = /^$|[/+]json$/;
export const ndjson = /^application\/(x-ndjson|ndjson|jsonl)$/;
export const eventStream = /^text\/event-stream$/;

/** Accepts a successful response of one of these media types. Throws a ProblemError for any other, and ends the request. */
export async function expect(response: Response, types: RegExp): Promise<void> {
  if (!response.ok) {
    throw await problemFrom(response);
  }
  const type = mediaTypeOf(response);
  if (!types.test(type)) {
    await response.body?.cancel().catch(() => undefined);
    throw new ProblemError({ detail: `a response of an unexpected type: ${type || "none"}` }, contextOf(response));
  }
}

/** What status and header of a response say. */
export function contextOf(response: Response): ProblemContext {
  return {
    status: response.status,
    retryAfter: retryAfterOf(response.headers),
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  };
}

/** The media type of a response, in lower case and without parameters (RFC 9110 section 8.3.1); empty if there is none. */
export function mediaTypeOf(response: Response): string {
  const [type = ""] = (response.headers.get("Content-Type") ?? "").split(";");
  return type.trim().toLowerCase();
}

/**
 * Seconds until a client should try again, from a number or a date (RFC 9110 section 10.2.3); undefined if it is neither. The date must
 * be an IMF-fixdate, the format that servers must send.
 */
export function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get("Retry-After")?.trim() ?? "";
  if (/^\d+$/.test(value)) {
    return Number(value);
  }
  const date = new Date(value);
  return date.toUTCString() === value ? Math.max(0, Math.ceil((date.getTime() - Date.now()) / 1000)) : undefined;
}

/** The text of a text/plain response, cut to the length of a log line. */
function plain(response: Response, text: string): string | undefined {
  const line = text.trim().slice(0, 200);
  return mediaTypeOf(response) === "text/plain" && line !== "" ? line : undefined;
}

/** The document with its required members, and with all members that ProblemError reads in the right type. */
function complete(document: unknown, context: ProblemContext): Problem {
  const given: Partial<Problem> = isObject(document) ? document : {};
  const { detail, request_id, login, ...others } = given;
  return {
    ...others,
    ...(isText(detail) && { detail }),
    ...(isText(request_id) && { request_id }),
    ...(isText(login) && { login }),
    type: isText(given.type) ? given.type : "about:blank",
    title: isText(given.title) ? given.title : `Status ${context.status}`,
    status: typeof given.status === "number" ? given.status : context.status,
    code: isText(given.code) ? given.code : "UNKNOWN",
    errors: Array.isArray(given.errors) ? given.errors.filter(isFieldError) : [],
  };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isFieldError(value: unknown): value is FieldError {
  const { field, description } = (value ?? {}) as Partial<FieldError>;
  return typeof field === "string" && typeof description === "string";
}
