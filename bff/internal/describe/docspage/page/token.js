// The token field. The token is kept in this variable alone: neither stored nor sent anywhere but with requests to the gateway.
let token = ""
let without = "No token: only public routes answer."
const listeners = []

export const currentToken = () => token

export function onToken(listener) {
  listeners.push(listener)
}

const field = document.querySelector("#token")
const forget = document.querySelector("#forget")
const status = document.querySelector("#token-status")

function use(text) {
  token = text.trim().replace(/^Bearer\s+/i, "")
  field.value = token
  forget.hidden = token === ""
  say(token === "" ? without : describe(token))
  for (const listener of listeners) listener(token)
}

// withoutToken sets the line without a token.
export function withoutToken(text) {
  without = text
  if (token === "") say(without)
}

// say puts a line under the field.
export function say(text, bad = false) {
  status.textContent = text
  status.classList.toggle("bad", bad)
}

// describe says what a JWT (RFC 7519) claims. The gateway alone judges it.
function describe(text) {
  try {
    const claims = JSON.parse(utf8(text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")))
    const scopes = [claims.scope ?? claims.scp ?? []].flat().join(" ")
    const until = claims.exp ? ` · until ${new Date(claims.exp * 1000).toLocaleString()}` : ""
    return `${claims.sub ?? "Nobody"} · ${scopes ? `scopes ${scopes}` : "no scopes"}${until}`
  } catch {
    return "In use. It is no JWT, so this page cannot say whose it is."
  }
}

const utf8 = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))

document.querySelector("#token-form").addEventListener("submit", (event) => {
  event.preventDefault()
  use(field.value)
})
forget.addEventListener("click", () => use(""))

document.querySelector("#subject-form")?.addEventListener("submit", async (event) => {
  event.preventDefault()
  const query = new URLSearchParams({ subject: document.querySelector("#subject").value.trim() })
  for (const scope of document.querySelector("#scopes").value.split(/[\s,]+/)) if (scope) query.append("scope", scope)
  try {
    const response = await fetch(`${document.body.dataset.tokens}?${query}`)
    const answer = await response.json()
    if (!response.ok) throw new Error(answer.detail ?? answer.title ?? response.statusText)
    use(answer.token)
  } catch (error) {
    say(`No token: ${error.message}`, true)
  }
})
