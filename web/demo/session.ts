import { ProblemError, problemFrom } from "../client/problem.js";

/** What the gateway says of the session of this browser. */
export interface Session {
  subject: string;
  scopes?: string[];
  profile?: { name?: string; email?: string };
  /** When it ends in any case, and when without requests: RFC 3339. */
  expires_at: string;
  idle_expires_at: string;
}

/** The header without which a request with the cookie of a session cannot change anything (auth.sessions.header), with any value. */
export const csrf = { "X-Csrf": "1" };

/** Returns the session, or "none", or "off" if nobody can log in. Throws a ProblemError if the gateway cannot say. */
export async function current(): Promise<Session | "none" | "off"> {
  const response = await fetch("/auth/session", { headers: csrf, cache: "no-store" });
  if (response.ok) {
    return (await response.json()) as Session;
  }
  if (response.status === 404) {
    return "off";
  }
  const problem = await problemFrom(response);
  if (problem.status === 401) {
    return "none";
  }
  throw problem;
}

/** Ends the session, or all of its user. Returns where the browser ends that of the provider, if there is such a place. */
export async function logOut(everywhere: boolean): Promise<string | undefined> {
  const response = await fetch(`/auth/logout${everywhere ? "?everywhere=true" : ""}`, { method: "POST", headers: csrf });
  if (response.ok) {
    return ((await response.json()) as { logout_url?: string }).logout_url;
  }
  const problem = await problemFrom(response);
  if (problem.status === 401) {
    return undefined;
  }
  throw problem;
}

/** Where an error response says that one can log in, with the way back to this page; undefined if it does not. */
export function loginOf(error: unknown, page = globalThis.location?.pathname ?? "/"): string | undefined {
  if (!(error instanceof ProblemError) || error.status !== 401) {
    return undefined;
  }
  const { login } = error.problem;
  // A path of the gateway, and not the address of another host.
  const path = typeof login === "string" && /^\/(?![/\\])/.test(login);
  return path ? `${login}?${new URLSearchParams({ return_to: page })}` : undefined;
}
