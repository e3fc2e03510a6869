// The session of this browser, where the gateway has sessions: whose it is, and the header without which it changes nothing.
import { withoutToken } from "./token.js"

const { session, sessionHeader } = document.body.dataset

// mark adds the header to a request that changes something. The browser adds the cookie by itself.
export function mark(request) {
  if (session && !["GET", "HEAD", "OPTIONS"].includes((request.method ?? "GET").toUpperCase())) {
    request.headers = { ...request.headers, [sessionHeader]: "1" }
  }
}

// who says by whom requests without a token are made.
async function who() {
  try {
    const response = await fetch(session)
    if (response.status === 401) return "No token, and nobody is logged in: only public routes answer."
    const { subject, scopes = [] } = await response.json()
    if (!response.ok || !subject) throw new Error(response.statusText)
    return `No token: requests use the session of ${subject} · ${scopes.length > 0 ? `scopes ${scopes.join(" ")}` : "no scopes"}`
  } catch {
    return "No token. Whether this browser has a session is unknown at the moment."
  }
}

if (session) who().then(withoutToken)
