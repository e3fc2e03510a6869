// The page: Swagger UI over the gateway's own document, with our token field.
import { Enforced } from "./enforced.js"
import { Folded } from "./folded.js"
import { Search, nameSearch } from "./search.js"
import { mark } from "./session.js"
import { Streams, patientFetch } from "./streams.js"
import { currentToken, onToken, say } from "./token.js"
import { Types } from "./types.js"

const documentURL = new URL(document.body.dataset.document, location.href).href

const ui = window.SwaggerUIBundle({
  url: documentURL,
  dom_id: "#viewer",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  showExtensions: true,
  tryItOutEnabled: true,
  syntaxHighlight: { theme: "tomorrow-night" },
  // The token is gone with the page.
  persistAuthorization: false,
  // Nothing is sent to a validator elsewhere.
  validatorUrl: null,
  plugins: [Enforced, Folded, Search, Streams, Types],
  requestInterceptor: (request) => {
    if (request.loadSpec) {
      // The document may ask for a credential itself.
      if (currentToken()) request.headers = { ...request.headers, Authorization: `Bearer ${currentToken()}` }
    } else {
      request.userFetch = patientFetch
      mark(request)
    }
    return request
  },
  responseInterceptor: (response) => {
    if (response.status === 401 && response.url === documentURL) say("The description itself asks for a token.", true)
    return response
  },
  onComplete: () => {
    authorize(currentToken())
    hideNeedless()
    nameSearch()
  },
})

// schemes are the names of the security schemes, of one kind or of all others.
function schemes(bearer) {
  const all = ui.specSelectors.specJson().getIn(["components", "securitySchemes"])
  if (!all) return []
  return [...all.entries()]
    .filter(([, scheme]) => (scheme.get("type") === "http" && scheme.get("scheme")?.toLowerCase() === "bearer") === bearer)
    .map(([name]) => name)
}

function authorize(token) {
  for (const name of schemes(true)) {
    if (token) ui.preauthorizeApiKey(name, token)
    else if (ui.authSelectors.authorized()?.has(name)) ui.authActions.logout([name])
  }
}

// The viewer's own dialog is for other credentials, such as API keys, and its list of servers for several.
function hideNeedless() {
  const servers = ui.specSelectors.specJson().get("servers")
  document.body.classList.toggle("no-dialog", schemes(false).length === 0)
  document.body.classList.toggle("no-servers", !servers || servers.size < 2)
}

onToken((token) => {
  authorize(token)
  // A document that was refused without a token is asked for again.
  if (token && ui.specSelectors.loadingStatus() !== "success") ui.specActions.download(documentURL)
})
