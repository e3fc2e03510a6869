// Package config is what an operator can set: a YAML file with environment overrides, all of it checked. Zero values mean the
// documented defaults, so an embedding program sets only what it cares for.
//
// Which routes exist and who may call them is not configuration; that is in the schema.
package config

import (
	"time"
)

// Config is all of it.
//
// The tag default of a field is the value that WithDefaults puts in place of zero, or of a list that is nil. So a program cannot
// set such a field to zero. The file and the environment can: "drain_delay: 0s" is no delay, since a configuration that was read
// remembers what was set. The tag zero says that this is valid, and what it means. Without it, numbers and durations that have a
// default must be positive. The tag computed describes a default that depends on something.
//
// The tag enum lists the values of a text. The tag secret marks a text that is not shown, or with the value url
// a URL whose password is not.
type Config struct {
	Server      Server      `envPrefix:"SERVER_"      yaml:"server"`
	Admin       Admin       `envPrefix:"ADMIN_"       yaml:"admin"`
	Health      Health      `envPrefix:"HEALTH_"      yaml:"health"`
	ClientIP    ClientIP    `envPrefix:"CLIENT_IP_"   yaml:"client_ip"`
	CORS        CORS        `envPrefix:"CORS_"        yaml:"cors"`
	Headers     Headers     `envPrefix:"HEADERS_"     yaml:"headers"`
	JSON        JSON        `envPrefix:"JSON_"        yaml:"json"`
	Query       Query       `envPrefix:"QUERY_"       yaml:"query"`
	Compression Compression `envPrefix:"COMPRESSION_" yaml:"compression"`
	Idempotency Idempotency `envPrefix:"IDEMPOTENCY_" yaml:"idempotency"`
	Limits      Limits      `envPrefix:"LIMITS_"      yaml:"limits"`
	Cache       Cache       `envPrefix:"CACHE_"       yaml:"cache"`
	Overload    Overload    `envPrefix:"OVERLOAD_"    yaml:"overload"`
	// Redis is what gateways share: rate limits, cached responses, idempotency keys, sessions of browsers. Without it each has its
	// own, in memory.
	Redis Redis `envPrefix:"REDIS_" yaml:"redis"`
	// Policies change what the schema says of methods, in this order: to make a limit tighter, or a timeout longer, without a
	// release.
	Policies []Policy `env:"-"              yaml:"policies"`
	Auth     Auth     `envPrefix:"AUTH_"    yaml:"auth"`
	Log      Log      `envPrefix:"LOG_"     yaml:"log"`
	Metrics  Metrics  `envPrefix:"METRICS_" yaml:"metrics"`
	Tracing  Tracing  `envPrefix:"TRACING_" yaml:"tracing"`
	Docs     Docs     `envPrefix:"DOCS_"    yaml:"docs"`
	// Upstreams are the backends by the names that the schema gives them.
	Upstreams map[string]Upstream `envPrefix:"UPSTREAMS_" yaml:"upstreams"`

	// origins says where the settings were set. Nil: by a program.
	origins *Origins
}

// Server is the listener for clients.
type Server struct {
	// Address is what to listen on: host:port, "unix:/path" or "systemd:NAME", see docs/deployment.md. Default 127.0.0.1:8080.
	Address string `default:"127.0.0.1:8080" env:"ADDRESS" yaml:"address"`
	// ReadHeaderTimeout bounds the arrival of a request's header. Default 5s.
	ReadHeaderTimeout time.Duration `default:"5s" env:"READ_HEADER_TIMEOUT" yaml:"read_header_timeout"`
	// IdleTimeout closes a connection without requests. Default 2m.
	IdleTimeout time.Duration `default:"2m" env:"IDLE_TIMEOUT" yaml:"idle_timeout"`
	// MaxHeaderBytes bounds a request's header. Default 1 MiB, as in net/http.
	MaxHeaderBytes int `default:"1048576" env:"MAX_HEADER_BYTES" yaml:"max_header_bytes"`
	// RequestTimeout bounds a request whose method sets no timeout. Default 10s.
	RequestTimeout time.Duration `default:"10s" env:"REQUEST_TIMEOUT" yaml:"request_timeout"`
	// DrainDelay is how long a gateway that stops goes on accepting after its readiness began to fail, so that load balancers and
	// clients notice. Longer than the interval of their health checks is enough. Default 5s.
	DrainDelay time.Duration `default:"5s" env:"DRAIN_DELAY" yaml:"drain_delay" zero:"no delay"`
	// MaxConnections is how many clients may be connected at the same time. Default 20000.
	MaxConnections int `default:"20000" env:"MAX_CONNECTIONS" yaml:"max_connections"`
	// MaxStreamsPerConnection is how many requests may be in flight on a connection of HTTP/2. Default 250.
	MaxStreamsPerConnection int `default:"250" env:"MAX_STREAMS_PER_CONNECTION" yaml:"max_streams_per_connection"`
	// MaxAbortedPerConnection is how many requests a connection may abort before it is closed, beyond those that it lets finish and
	// one a second. Default 100.
	MaxAbortedPerConnection int `default:"100" env:"MAX_ABORTED_PER_CONNECTION" yaml:"max_aborted_per_connection"`
	// ServerTiming tells clients, by the header Server-Timing, how long the calls behind a response took.
	ServerTiming bool `env:"SERVER_TIMING" yaml:"server_timing"`
	// DrainTimeout bounds the time that accepted requests have to finish. Default 30s.
	DrainTimeout time.Duration `default:"30s" env:"DRAIN_TIMEOUT" yaml:"drain_timeout"`
	// TLS encrypts the listener; with it come HTTP/2 and client certificates. Without files it is off.
	TLS ServerTLS `envPrefix:"TLS_" yaml:"tls"`
	// ProxyProtocol is how load balancers that pass on connections, not requests, say who the client is.
	ProxyProtocol ProxyProtocol `envPrefix:"PROXY_PROTOCOL_" yaml:"proxy_protocol"`
}

// ProxyProtocol is the PROXY protocol of HAProxy, versions 1 and 2: a header before the first byte of a connection.
type ProxyProtocol struct {
	// From are the load balancers, as CIDR prefixes, or "unix" for those on a Unix socket. Their connections must begin with the
	// header, whose address then counts as that of the connection. A header that anyone else sends is an invalid request. Empty: it
	// is off.
	From []string `env:"FROM" yaml:"from"`
}

// ServerTLS are the files, in PEM, of the listener. They are read again when they change.
type ServerTLS struct {
	// CertFile and KeyFile are the certificate chain of the gateway and its private key.
	CertFile string `env:"CERT_FILE" yaml:"cert_file"`
	KeyFile  string `env:"KEY_FILE"  yaml:"key_file"`
	// ClientCAFile are the authorities whose client certificates are accepted. Empty: none is asked for.
	ClientCAFile string `env:"CLIENT_CA_FILE" yaml:"client_ca_file"`
	// ClientAuth is whether a client may (optional) or must (required) show a certificate. Default optional.
	ClientAuth string `enum:"optional,required" env:"CLIENT_AUTH" yaml:"client_auth"`
}

// The values of ServerTLS.ClientAuth.
const (
	ClientAuthOptional = "optional"
	ClientAuthRequired = "required"
)

// Admin is the listener for operators: health, metrics, profiles, the console. It must not be reachable by clients.
type Admin struct {
	// Address is what to listen on: host:port, "unix:/path" or "systemd:NAME"; "-" turns it off. Default 127.0.0.1:8081.
	Address string `default:"127.0.0.1:8081" env:"ADDRESS" yaml:"address"`
	// Credential is what operators send, as "Authorization: Bearer …", to change something: with the actions of the console,
	// /reload, /log/level and /sessions/revoke. It has at least 16 characters of printable ASCII, without spaces at the ends, and
	// should be random. Default none: all of these are refused.
	Credential string `env:"CREDENTIAL" secret:"true" yaml:"credential"`
	// CredentialFile is a file of one line with the credential instead. It is read again when it changes.
	CredentialFile string `env:"CREDENTIAL_FILE" yaml:"credential_file"`
}

// Health is the listener for the probes of a kubelet or a load balancer: /livez and /readyz, and nothing that is internal.
type Health struct {
	// Address is what to listen on: host:port, "unix:/path" or "systemd:NAME"; "-" turns it off. Without a host it is on all
	// interfaces. Default :8082.
	Address string `default:":8082" env:"ADDRESS" yaml:"address"`
}

// HealthOff is the health address that turns the health listener off.
const HealthOff = "-"

// AdminOff is the admin address that turns the admin listener off.
const AdminOff = "-"

// ClientIP is the trust model for the client's address.
type ClientIP struct {
	// TrustedProxies are CIDR prefixes whose X-Forwarded-For is believed: the client is the rightmost address outside of them,
	// with or without a port. "unix" is for those that connect to a Unix socket. Empty: the address of the connection, and no
	// header is believed.
	TrustedProxies []string `env:"TRUSTED_PROXIES" yaml:"trusted_proxies"`
}

// CORS lets browsers of other origins call (Fetch standard). Without origins it is off.
type CORS struct {
	// AllowedOrigins are exact ("https://app.example.com") or have one "*" ("https://*.example.com").
	AllowedOrigins []string `env:"ALLOWED_ORIGINS" yaml:"allowed_origins"`
	// AllowedHeaders are the request headers that browsers may send. Default Authorization, Content-Type,
	// Idempotency-Key, Last-Event-Id, X-Csrf, X-Request-Id.
	AllowedHeaders []string `default:"Authorization,Content-Type,Idempotency-Key,Last-Event-Id,X-Csrf,X-Request-Id" env:"ALLOWED_HEADERS" yaml:"allowed_headers"` //nolint:lll // A tag is one line.
	// AllowCredentials lets browsers send cookies and TLS client certificates. It does not go with the origin "*".
	AllowCredentials bool `env:"ALLOW_CREDENTIALS" yaml:"allow_credentials"`
	// MaxAge is how long a browser may remember a preflight. Default 10m.
	MaxAge time.Duration `default:"10m" env:"MAX_AGE" yaml:"max_age" zero:"browsers take 5s"`
}

// Headers are the allow-lists between clients and backends. Nothing else passes but W3C traceparent and tracestate, towards
// backends.
type Headers struct {
	// Request are client headers that backends get, as metadata of the same name in lower case, such as "Accept-Language".
	Request []string `env:"REQUEST" yaml:"request"`
	// Response are metadata of backends that clients get as headers of the same name.
	Response []string `env:"RESPONSE" yaml:"response"`
}

// JSON is how bodies are written and read.
type JSON struct {
	// Names is how fields are written: "camel" (userId) or "proto" (user_id). Both are read. Default camel.
	Names string `default:"camel" enum:"camel,proto" env:"NAMES" yaml:"names"`
	// EmitDefaults writes fields without presence that are unset: 0, "", [], {}. Default: they are left out.
	EmitDefaults bool `env:"EMIT_DEFAULTS" yaml:"emit_defaults"`
	// MaxDepth is how many objects and arrays may be nested in a body. Default 64.
	MaxDepth int `default:"64" env:"MAX_DEPTH" yaml:"max_depth"`
}

// The values of JSON.Names.
const (
	NamesCamel = "camel"
	NamesProto = "proto"
)

// Query is how query parameters are read.
type Query struct {
	// Ignored are parameters that are ignored where no field has their name: names, or beginnings of names with "*" behind
	// them. All other unknown ones are refused. Default "utm_*"; an empty list ignores none.
	Ignored []string `default:"utm_*" env:"IGNORED" yaml:"ignored"`
}

// Compression is how responses are compressed: by gzip or zstd, as the client prefers. Streams never are. Compressed requests are
// always accepted.
type Compression struct {
	// Disabled turns it off.
	Disabled bool `env:"DISABLED" yaml:"disabled"`
	// MinBytes is the size of the smallest response that is compressed. Default 1024.
	MinBytes int `default:"1024" env:"MIN_BYTES" yaml:"min_bytes" zero:"all are"`
}

// Idempotency is the memory of responses to requests with the header Idempotency-Key. It is used without Redis.
type Idempotency struct {
	// MaxBytes is its size in bytes; the oldest responses go first. Default 64 MiB.
	MaxBytes int64 `default:"67108864" env:"MAX_BYTES" yaml:"max_bytes"`
}

// Cache is the memory of cached responses. It is used without Redis.
type Cache struct {
	// Disabled ignores the cache policies of the schema. Identical requests at the same time still share a response.
	Disabled bool `env:"DISABLED" yaml:"disabled"`
	// MaxBytes is its size in bytes; what was not requested lately goes first. Default 64 MiB.
	MaxBytes int64 `default:"67108864" env:"MAX_BYTES" yaml:"max_bytes"`
}

// Overload is how much the gateway does at a time. What comes on top is refused at once, by its priority.
type Overload struct {
	// TargetDelay is how long work should wait for a CPU in this process. When it waits five times as long for a tenth of a second,
	// requests are refused, as many as it takes to get to the target. Low priorities have half of it, critical ones twice as much.
	// A very long one (1h) switches these refusals off. Default 5ms.
	TargetDelay time.Duration `default:"5ms" env:"TARGET_DELAY" yaml:"target_delay"`
	// MaxInFlight is how many requests may be in flight. Default 1000 for each CPU that the process may use (GOMAXPROCS).
	MaxInFlight int `computed:"1000 per CPU" env:"MAX_IN_FLIGHT" yaml:"max_in_flight"`
	// MaxStreams is how many streams may be open in addition. Default 10000.
	MaxStreams int `default:"10000" env:"MAX_STREAMS" yaml:"max_streams"`
	// MaxBufferedResponseBytes bounds what waits in memory, on all connections together, for clients to read it. Above it, the
	// responses are cut off whose clients have read nothing for the longest time. Default 256 MiB.
	MaxBufferedResponseBytes int64 `default:"268435456" env:"MAX_BUFFERED_RESPONSE_BYTES" yaml:"max_buffered_response_bytes"`
}

// Policy replaces parts of the policies of some methods.
type Policy struct {
	// Selector is a method ("order.v1.OrderService.GetOrder") or, with "*" as its last part, all methods of a service or a package
	// ("order.v1.*"); "*" alone is for all.
	Selector string `yaml:"selector"`
	// Set are fields of portico.v1.MethodPolicy, as in JSON but with durations such as 1m30s, that replace the schema's: timeout,
	// max_body_bytes, rate_limits, retry, cache, breaker, priority and field_selection. An empty list of rate_limits is none. Who
	// may call is the schema's alone.
	Set map[string]any `yaml:"set"`
}

// Limits hold for every client and route; the schema's come on top.
type Limits struct {
	// MaxBodyBytes is the largest body, in bytes, for methods whose schema sets none. Default 1 MiB.
	MaxBodyBytes int64 `default:"1048576" env:"MAX_BODY_BYTES" yaml:"max_body_bytes"`
	// MaxDecompressionRatio is how many times as large as it was sent a compressed body may become, beyond its first 16 KiB.
	// Default 100.
	MaxDecompressionRatio int `default:"100" env:"MAX_DECOMPRESSION_RATIO" yaml:"max_decompression_ratio"`
	// Client is the coarse limit per client address. Default 1000 per second, burst 2000.
	Client Rate `envPrefix:"CLIENT_" yaml:"client"`
	// MaxKeys is how many buckets of each kind (by how long they take to fill) the limiter remembers. Default 100000, which
	// take 2.7 MB a kind when full; there are five kinds, made on first use, and one more for Client.
	MaxKeys int `default:"100000" env:"MAX_KEYS" yaml:"max_keys"`
	// LegacyHeaders adds RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset to responses, which say the same as RateLimit and
	// RateLimit-Policy, for clients that read only those of earlier drafts. Default false: more headers make responses slower.
	LegacyHeaders bool `env:"LEGACY_HEADERS" yaml:"legacy_headers"`
}

// Rate is a token bucket.
type Rate struct {
	// Requests are how many become possible in the time Per. Default 1000.
	Requests int64 `computed:"1000" env:"REQUESTS" yaml:"requests"`
	// Per is that time. Default 1s.
	Per time.Duration `default:"1s" env:"PER" yaml:"per"`
	// Burst is how many are possible at once. Default Requests, or 2000 if those have their default, too.
	Burst int64 `computed:"2000" env:"BURST" yaml:"burst"`
}

// Auth says whose credentials are accepted.
type Auth struct {
	// Disabled lets everyone call everything: no credentials are read and no access policy is enforced. For tests and for gateways
	// behind one that does it.
	Disabled bool `env:"DISABLED" yaml:"disabled"`
	// Issuers are those whose tokens are accepted.
	Issuers []Issuer `envPrefix:"ISSUERS_" yaml:"issuers"`
	// APIKeys are credentials of machines.
	APIKeys APIKeys `envPrefix:"API_KEYS_" yaml:"api_keys"`
	// Certificates need server.tls.client_ca_file.
	Certificates []Certificate `env:"-" yaml:"certificates"`
	// Sessions are those of browsers, which log in through the gateway and hold no token.
	Sessions Sessions `envPrefix:"SESSIONS_" yaml:"sessions"`
	// KeysGrace is how long a gateway that starts is not ready while it has not had the keys of each issuer once. Afterwards it is
	// ready without them. Default 30s.
	KeysGrace time.Duration `default:"30s" env:"KEYS_GRACE" yaml:"keys_grace" zero:"ready at once"`
	// CacheTokens is how many verified tokens are remembered, at about 1 KB each and the size of the token. Default 10000: about
	// 20 MB.
	CacheTokens int `default:"10000" env:"CACHE_TOKENS" yaml:"cache_tokens"`
	// Internal is what backends may verify instead of trusting the network.
	Internal InternalToken `envPrefix:"INTERNAL_TOKEN_" yaml:"internal_token"`
}

// Issuer is who signs tokens (RFC 7519).
type Issuer struct {
	// Issuer is the exact "iss" claim. With neither JWKSFile nor JWKSURL its keys are found by OpenID Connect Discovery.
	Issuer string `env:"ISSUER" yaml:"issuer"`
	// Audiences are values of "aud". A token must have one of them.
	Audiences []string `env:"AUDIENCES" yaml:"audiences"`
	// Algorithms are those that it signs with: RS256, PS256, ES256, ES384, EdDSA. Default RS256, ES256 and EdDSA.
	Algorithms []string `default:"RS256,ES256,EdDSA" enum:"RS256,PS256,ES256,ES384,EdDSA" env:"ALGORITHMS" yaml:"algorithms"`
	// TokenTypes are the types ("typ") of its tokens to accept, without case and with or without "application/"; an empty text
	// is for tokens without one. Default "", JWT and at+jwt.
	TokenTypes []string `default:",JWT,at+jwt" env:"TOKEN_TYPES" yaml:"token_types"`
	// JWKSFile or JWKSURL holds its public keys (RFC 7517).
	JWKSFile string `env:"JWKS_FILE" yaml:"jwks_file"`
	JWKSURL  string `env:"JWKS_URL"  secret:"url"     yaml:"jwks_url"`
	// RefreshInterval is how often the file or the URL is read again. Default 5m.
	RefreshInterval time.Duration `default:"5m" env:"REFRESH_INTERVAL" yaml:"refresh_interval"`
	// Leeway is how much clocks may differ. Default 30s.
	Leeway time.Duration `default:"30s" env:"LEEWAY" yaml:"leeway" zero:"none"`
	// Claims are where a token says what the gateway wants to know.
	Claims Claims `envPrefix:"CLAIMS_" yaml:"claims"`
	// RequiredClaims must be in a token, with one of these values, or with any value if none is listed.
	RequiredClaims map[string][]string `env:"-" yaml:"required_claims"`
	// SubjectPrefix is put before the subjects of this issuer, so that they cannot be those of another ("partner:").
	SubjectPrefix string `env:"SUBJECT_PREFIX" yaml:"subject_prefix"`
}

// Claims are names of claims. A name with dots leads into objects ("realm_access.roles") unless a claim has that very name.
type Claims struct {
	// Subject is the claim that says who calls. Default sub.
	Subject string `default:"sub" env:"SUBJECT" yaml:"subject"`
	// Scopes is the claim with the scopes: a list, or a string with spaces between them. Default scope, or else scp.
	Scopes string `env:"SCOPES" yaml:"scopes"`
	// Roles is the claim with the roles: a list or a single string. Default roles.
	Roles string `default:"roles" env:"ROLES" yaml:"roles" zero:"none"`
	// Tenant is the claim that says which customer the caller belongs to. Default tenant.
	Tenant string `default:"tenant" env:"TENANT" yaml:"tenant" zero:"none"`
}

// APIKeys are secrets of machine clients. `portico apikey new` makes one.
type APIKeys struct {
	// File lists the keys' hashes and their principals. It is read again when it changes. Empty: API keys are off.
	File string `env:"FILE" yaml:"file"`
	// Header is the name of the header with the key. Default X-Api-Key.
	Header string `default:"X-Api-Key" env:"HEADER" yaml:"header"`
	// ReloadInterval is how often the file is looked at. Default 10s.
	ReloadInterval time.Duration `default:"10s" env:"RELOAD_INTERVAL" yaml:"reload_interval"`
}

// Certificate is the principal that a client certificate identifies. A certificate that no entry names identifies nobody.
type Certificate struct {
	// Name is what the certificate says of itself: "uri:spiffe://prod/billing", "dns:billing.internal", "email:ops@example.com"
	// (subject alternative names) or "cn:billing" (common name).
	Name string `yaml:"name"`
	// Subject, Scopes, Roles and Tenant are those of the principal.
	Subject string   `yaml:"subject"`
	Scopes  []string `yaml:"scopes"`
	Roles   []string `yaml:"roles"`
	Tenant  string   `yaml:"tenant"`
}

// InternalToken is a short-lived JWT about the caller that the gateway signs for each backend.
type InternalToken struct {
	// Issuer is its "iss" claim. Empty: there is no such token. Its "aud" is the name of the upstream. The public keys are at
	// /.well-known/jwks.json of the admin listener.
	Issuer string `env:"ISSUER" yaml:"issuer"`
	// KeyFile holds private keys (PEM, PKCS #8; Ed25519 or ECDSA P-256). The first signs, all are published. It is read again when
	// it changes. Empty: a key is made at start-up, which suits a single gateway.
	KeyFile string `env:"KEY_FILE" yaml:"key_file"`
	// Lifetime is how long it is valid. Default 1m.
	Lifetime time.Duration `default:"1m" env:"LIFETIME" yaml:"lifetime"`
}

// Log is the log on standard error.
type Log struct {
	// Level is the least that is written: debug, info, warn or error. Default info.
	Level string `default:"info" enum:"debug,info,warn,error" env:"LEVEL" yaml:"level"`
	// Format is how lines are written: json or text. Default json.
	Format string `default:"json" enum:"json,text" env:"FORMAT" yaml:"format"`
	// Sample is the part of successful requests whose lines are written, over 0 up to 1. Lines of failures, refusals, incomplete
	// responses and slow requests are always written. Default 1.
	Sample float64 `default:"1" env:"SAMPLE" yaml:"sample"`
	// SlowAfter is how long a request takes that is slow. Default: none is.
	SlowAfter time.Duration `env:"SLOW_AFTER" yaml:"slow_after"`
}
