/** Query parameters that ask for a page: the JSON name of the field, and that in the proto. */
const parameters = ["pageToken", "page_token"] as const;

/** Returns the query parameter that asks for the next page (Link, RFC 8288). Undefined: the page is the last one. */
export function nextPage(response: Response): Record<string, string> | undefined {
  // A URL with a comma is between angle brackets, in which there is no other bracket.
  for (const [, target = "", rel = ""] of (response.headers.get("Link") ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    const query = /;\s*rel="?next\b/i.test(rel) ? new URL(target, "http://gateway").searchParams : new URLSearchParams();
    const name = parameters.find((name) => query.get(name));
    if (name) {
      return { [name]: query.get(name) ?? "" };
    }
  }
  return undefined;
}
