import { mergeHeaders, type HeadersOptions, type Middleware } from "openapi-fetch";

/**
 * Refuses a request with a path variable that is missing or that would make another path of it: empty, "." and "..", which URLs
 * drop even where they are encoded (WHATWG URL, "double-dot URL path segment").
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

/** What openapi-fetch is told with a request, as far as files matter. */
interface Init {
  body?: unknown;
  headers?: HeadersOptions;
}

/** Has bytes sent as they are. Their type is that of the headers, else that of the Blob. */
export function withFile(init: Init | undefined): Init | undefined {
  const { body, headers = {} } = init ?? {};
  if (!isFile(body)) {
    return init;
  }
  const type = (body instanceof Blob && body.type) || "application/octet-stream";
  // A stream is sent without waiting for the answer (fetch standard, RequestInit).
  const bytes = { bodySerializer: (file: unknown) => file, duplex: "half" };
  return { ...bytes, ...init, headers: mergeHeaders({ "Content-Type": type }, headers) };
}

/** Forms are not among them: openapi-fetch knows those. */
function isFile(body: unknown): boolean {
  return body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body) || body instanceof ReadableStream;
}
