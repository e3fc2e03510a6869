// OpenID issuers of oidc-provider: one process has any number of them, each with a port, clients and a memory of its own. It tells on
// stdout where it takes its commands (see openid.go), and ends with stdin.
'use strict'

const http = require('node:http')

// oidc-provider is made for Node 22, of which it uses nothing else that Node 20 does not have.
URL.parse ??= (text, base) => (URL.canParse(text, base) ? new URL(text, base) : null)

// It warns of what is meant for tests.
console.warn = () => {}

const { Provider } = require('oidc-provider')

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))

// What package servers describes as IssuerConfig, in the words of oidc-provider.
function configuration({ clients = [], accounts = {}, resource, scopes = [], require_par: requirePAR = false, ttl }) {
  return {
    clients,
    scopes: ['openid', 'offline_access', ...scopes],
    claims: { openid: ['sub'], profile: ['name', 'picture'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // The ID token has the claims of its scopes, as those of most issuers.
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
    extraTokenClaims: (_, token) => accounts[token.accountId],
    // Without offline_access there is one that ends with the session of the issuer.
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    pkce: { required: () => true },
    cookies: { keys: ['a key of a test'] },
    clockTolerance: 5,
    ttl: { AccessToken: 3600, IdToken: 3600, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600, ...ttl },
    // It connects to no loopback otherwise.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: requirePAR },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, client, oneOf) => oneOf ?? resource,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, audience) => ({
          audience, scope: scopes.join(' '), accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        }),
      },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      userinfo: { enabled: true },
    },
  }
}

async function open(config) {
  const issuer = { counts: {}, held: Promise.resolve(), release() {} }
  const count = (name) => { issuer.counts[name] = (issuer.counts[name] ?? 0) + 1 }

  let answer
  const server = http.createServer((request, response) => answer(request, response))
  server.on('connection', (socket) => issuer.down && socket.destroy())
  issuer.url = `http://localhost:${await listen(server)}`

  const provider = new Provider(issuer.url, configuration(config))
  provider.use(async (ctx, next) => {
    count(`${ctx.method} ${ctx.path}`)
    await next()
    if (ctx.path === '/token') await issuer.held
    count([ctx.oidc?.route, ctx.oidc?.params?.grant_type, ctx.status].filter(Boolean).join(' '))
  })
  for (const event of ['server_error', 'backchannel.error']) provider.on(event, (_, error) => console.error(event, error))
  answer = provider.callback()

  issuer.commands = {
    counts: () => issuer.counts,
    up() { issuer.down = false },
    down() {
      issuer.down = true
      server.closeAllConnections()
    },
    hold() { issuer.held = new Promise((resolve) => { issuer.release = resolve }) },
    release() { issuer.release() },
    close() {
      server.close()
      server.closeAllConnections()
      issuers.delete(issuer.url)
    },
  }
  issuers.set(issuer.url, issuer)
  return issuer.url
}

const issuers = new Map()

// {"do": "open", "config": …} opens an issuer, and {"do": …, "issuer": URL} is a command to one. The answer is JSON.
const control = http.createServer(async (request, response) => {
  const { do: command, issuer, config } = JSON.parse(Buffer.concat(await request.toArray()))
  try {
    const result = command === 'open' ? await open(config) : issuers.get(issuer).commands[command]()
    response.end(JSON.stringify(result ?? null))
  } catch (error) {
    response.writeHead(500).end(String(error.stack))
  }
})

process.stdin.resume().on('end', () => process.exit(0))
listen(control).then((port) => process.stdout.write(JSON.stringify({ event: 'listening', port }) + '\n'))
