import { mergeHeaders, type HeadersOptions, type Middleware } from "openapi-fetch";

/**
 * Refuses a request whose path variable is missing or would change the path: empty, "." and "..", which URLs drop even if they are
 * encoded (WHATWG URL, "double-dot URL path segment").
 */
export const pathVariables: Middleware = {
  onRequest({ schemaPath, params }) {
    for (const [, name = ""] of schemaPath.matchAll(/\{([^{}]+)\}/g)) {
      const value = params.path?.[name] ?? "";
      if (typeof value === "object" || ["", ".", ".."].includes(String(value))) {
        throw new TypeError(`the path variable ${name} must be a value other than "", "." and ".."`);
      }
    }
  },
};

/** Options of openapi-fetch for one request. */
export interface Init {
  body?: unknown;
  headers?: HeadersOptions;
  params?: { query?: Record<string, unknown> };
  signal?: AbortSignal | undefined;
  [option: string]: unknown;
}

/** Has a file sent as it is. Its Content-Type is that of the headers, else that of the Blob. */
export function withFile(init: Init | undefined): Init | undefined {
  const { body, headers = {} } = init ?? {};
  if (!isFile(body)) {
    return init;
  }
  const type = (body instanceof Blob && body.type) || "application/octet-stream";
  // Required for a ReadableStream (fetch standard, RequestInit).
  const bytes = { bodySerializer: (file: unknown) => file, duplex: "half" };
  return { ...bytes, ...init, headers: mergeHeaders({ "Content-Type": type }, headers) };
}

/** Reports whether openapi-fetch would not know how to send the body. It knows forms. */
function isFile(body: unknown): boolean {
  return body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body) || body instanceof ReadableStream;
}
