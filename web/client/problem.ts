import type { FieldError, Problem } from "../../gen/ts/schema.js";

/** What is known of an error beside its document. */
interface Context {
  /** HTTP status, for a document that does not say. */
  status: number;
  /** Seconds, of the header Retry-After. */
  retryAfter?: number | undefined;
  /** Of the header X-Request-Id, for a document that does not say. */
  requestId?: string | undefined;
}

/** An error that the gateway answered with, or that ended a stream (RFC 9457). */
export class ProblemError extends Error {
  /** HTTP status. Within a stream it is the one that the answer would have had. */
  readonly status: number;
  /** Name of the google.rpc.Code, such as `NOT_FOUND`: what a program should look at. `UNKNOWN` if the answer has none. */
  readonly code: string;
  /** What was wrong with this request, for people. */
  readonly detail: string;
  /** The fields that are wrong, in their JSON spelling. */
  readonly errors: readonly FieldError[];
  /** Name of the request, to quote when asking for help. */
  readonly requestId: string | undefined;
  /** When to try again, in seconds from the answer. */
  readonly retryAfter: number | undefined;
  /** The whole document. */
  readonly problem: Problem;

  /** A document that lacks something, or is none at all, is completed from the context. */
  constructor(document: unknown, context: Context) {
    const problem = complete(document, context);
    super(`${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`);
    this.name = "ProblemError";
    this.status = problem.status;
    this.code = problem.code;
    this.detail = problem.detail ?? problem.title;
    this.errors = problem.errors ?? [];
    this.requestId = problem.request_id ?? context.requestId;
    this.retryAfter = context.retryAfter;
    this.problem = problem;
  }
}

/** Reads an answer that is an error. Never throws: what is not a problem document, such as the page of a proxy, becomes one. */
export async function problemFrom(response: Response): Promise<ProblemError> {
  const context = contextOf(response);
  // An answer to HEAD has no body, and one that breaks off is as good as none.
  const text = await response.text().catch(() => "");
  try {
    return new ProblemError(JSON.parse(text), context);
  } catch {
    return new ProblemError({ title: response.statusText, detail: plain(response, text) }, context);
  }
}

/** What an answer says in its status and header. */
export function contextOf(response: Response): Context {
  return {
    status: response.status,
    retryAfter: retryAfterOf(response.headers),
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  };
}

/** The media type of an answer, in lower case and without parameters (RFC 9110 section 8.3.1); empty if there is none. */
export function mediaTypeOf(response: Response): string {
  const [type = ""] = (response.headers.get("Content-Type") ?? "").split(";");
  return type.trim().toLowerCase();
}

/**
 * Seconds until a client should try again, of a number or a date (RFC 9110 section 10.2.3); undefined if there is neither. Of the
 * forms of a date it knows the one that servers must send, IMF-fixdate.
 */
export function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get("Retry-After")?.trim() ?? "";
  if (/^\d+$/.test(value)) {
    return Number(value);
  }
  const date = new Date(value);
  return date.toUTCString() === value ? Math.max(0, Math.ceil((date.getTime() - Date.now()) / 1000)) : undefined;
}

/** Text that people can read, cut to a line of a log. */
function plain(response: Response, text: string): string | undefined {
  const line = text.trim().slice(0, 200);
  return mediaTypeOf(response) === "text/plain" && line !== "" ? line : undefined;
}

/** The document with what every program may rely on: members of the right type, and those that must be there. */
function complete(document: unknown, context: Context): Problem {
  const said: Partial<Problem> = isObject(document) ? document : {};
  const { detail, request_id, ...others } = said;
  return {
    ...others,
    ...(isText(detail) && { detail }),
    ...(isText(request_id) && { request_id }),
    type: isText(said.type) ? said.type : "about:blank",
    title: isText(said.title) ? said.title : `Status ${context.status}`,
    status: typeof said.status === "number" ? said.status : context.status,
    code: isText(said.code) ? said.code : "UNKNOWN",
    errors: Array.isArray(said.errors) ? said.errors.filter(isFieldError) : [],
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
