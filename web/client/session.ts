import { expect, json, ProblemError } from "./problem.js";
import { authenticated, type Fetch } from "./send.js";

/** How a page calls with the session of its browser. */
export interface SessionOptions {
  /** The header of requests that change something, as in the gateway's setting `auth.sessions.header`; `X-Csrf` if not set. */
  header?: string | undefined;
  /**
   * Called when a response says that there is no session, or that it has ended, for instance to show that the user has to log in. The
   * error is thrown as well.
   */
  onEnded?: ((error: ProblemError) => void) | undefined;
}

/** The gateway that a page logs in at, and how. */
export interface BrowserSessionOptions extends SessionOptions {
  /** URL of the gateway, as in the client's options. Empty: the page's own origin. */
  baseUrl: string;
  /** Replaces the global `fetch`. */
  fetch?: Fetch | undefined;
  /** Replaces `location.assign`. */
  navigate?: ((url: string) => void) | undefined;
}

/** What a page may know of its session. Times are in UTC (RFC 3339). */
export interface SessionState {
  subject: string;
  issuer: string;
  tenant?: string;
  scopes?: string[];
  roles?: string[];
  /** Claims of the ID token for people to read. */
  profile?: { name?: string; email?: string; picture?: string; [claim: string]: unknown };
  logged_in_at: string;
  /** When the session ends in any case. */
  expires_at: string;
  /** When it ends without requests. */
  idle_expires_at: string;
}

/** The session of the page's browser. A client takes it as its option `session`. */
export interface BrowserSession extends SessionOptions {
  /**
   * Navigates to the login. The browser returns to `returnTo`, a path of the gateway's origin or a URL of one of the gateway's
   * `auth.sessions.return_origins`; to the present page if not set.
   */
  login(returnTo?: string): void;
  /** Ends the session, or all of the user, and navigates to the provider if the user has to log out there as well. */
  logout(options?: { everywhere?: boolean }): Promise<void>;
  /** Returns the session, or undefined if there is none. It does not prolong it. */
  get(): Promise<SessionState | undefined>;
}

/** Returns the session of the page's browser at a gateway with `auth.sessions`. */
export function browserSession(options: BrowserSessionOptions): BrowserSession {
  const { baseUrl, header, onEnded, navigate = (url) => globalThis.location.assign(url) } = options;
  const base = baseUrl.replace(/\/$/, "");
  const fetch = authenticated(options.fetch ?? ((request) => globalThis.fetch(request)), { session: options });

  const ask = async (path: string, method: string): Promise<unknown> => {
    const response = await fetch(new Request(base + path, { method, cache: "no-store", credentials: credentialsFor(baseUrl) }));
    try {
      await expect(response, json);
    } catch (error) {
      if (error instanceof ProblemError && error.login !== undefined) {
        return undefined;
      }
      throw error;
    }
    return response.json();
  };

  return {
    header,
    onEnded,
    login: (returnTo = here(baseUrl)) => navigate(`${base}/auth/login?${new URLSearchParams({ return_to: returnTo })}`),
    logout: async ({ everywhere = false } = {}) => {
      const ended = (await ask(`/auth/logout${everywhere ? "?everywhere=true" : ""}`, "POST")) as { logout_url?: string } | undefined;
      if (ended?.logout_url) {
        navigate(ended.logout_url);
      }
    },
    get: async () => (await ask("/auth/session", "GET")) as SessionState | undefined,
  };
}

/** Whether the browser sends its cookies to the gateway: always to the page's own origin, and to another one if asked. */
export function credentialsFor(baseUrl: string): RequestCredentials {
  return isOwnOrigin(baseUrl) ? "same-origin" : "include";
}

/** The present page, as the gateway takes it: a path of its own origin, or a whole URL. */
function here(baseUrl: string): string {
  const { pathname, search, hash, href } = globalThis.location;
  return isOwnOrigin(baseUrl) ? pathname + search + hash : href;
}

function isOwnOrigin(baseUrl: string): boolean {
  const page = globalThis.location as Location | undefined;
  return page === undefined ? baseUrl === "" : new URL(baseUrl, page.href).origin === page.origin;
}
