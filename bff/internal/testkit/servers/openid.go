package servers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// IssuerConfig is how an issuer of the npm package oidc-provider runs. It has pushed authorization requests (RFC 9126), the parameter iss
// (RFC 9207), resource indicators (RFC 8707), revocation (RFC 7009), RP-initiated and back-channel logout, and replaces a refresh token
// whenever it is used. A refresh token that is used twice ends all tokens of the login.
type IssuerConfig struct {
	Clients []IssuerClient `json:"clients,omitempty"`
	// Accounts are the claims of accounts, in ID tokens (profile and email with the scopes of these names) and in access tokens that are
	// JWTs. Anyone can log in, with any password.
	Accounts map[string]map[string]any `json:"accounts,omitempty"`
	// Resource is the audience of access tokens, which are JWTs then, unless a client asks for another one. Empty: they are opaque.
	Resource string `json:"resource,omitempty"`
	// Scopes are those of resources.
	Scopes []string `json:"scopes,omitempty"`
	// RequirePAR refuses requests for authorization that were not pushed.
	RequirePAR bool `json:"require_par,omitempty"`
	// TTL are lifetimes in seconds, such as those of an "AccessToken" (an hour), a "RefreshToken", an "IdToken" or a "Session".
	TTL map[string]int `json:"ttl,omitempty"`
}

// IssuerClient is the metadata of a client (RFC 7591).
type IssuerClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret,omitempty"`
	// Auth is client_secret_basic, client_secret_post or, for a public client, none. Default client_secret_basic.
	Auth                   string   `json:"token_endpoint_auth_method,omitempty"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI   string   `json:"backchannel_logout_uri,omitempty"`
	// BackchannelSession has logout tokens name the session of the issuer (sid), as ID tokens do then.
	BackchannelSession bool `json:"backchannel_logout_session_required,omitempty"`
	// GrantTypes are by default both that there are. Without refresh_token it gets no refresh tokens.
	GrantTypes []string `json:"grant_types"`
}

// Issuer is an OpenID provider that ends with the test.
type Issuer struct {
	// URL is the issuer's name. Its host is localhost, so that it does not share cookies with what listens on 127.0.0.1.
	URL string

	provider *openID
}

// openID is a process that has issuers. Its control is a URL.
type openID struct {
	control string
	process *process
	// stdin is closed when the process of the test ends, and with it this one.
	stdin io.WriteCloser
}

// running is the one of this process, as it takes a second to start.
var running struct {
	sync.Mutex

	openID *openID
}

// StartIssuer starts an issuer. It installs the package if it is missing.
func StartIssuer(tb testing.TB, config IssuerConfig) *Issuer {
	tb.Helper()

	config.Clients = slices.Clone(config.Clients)
	for i := range config.Clients {
		if config.Clients[i].GrantTypes == nil {
			config.Clients[i].GrantTypes = []string{"authorization_code", "refresh_token"}
		}
	}

	i := &Issuer{provider: shared(tb)}
	i.provider.do(tb, map[string]any{"do": "open", "config": config}, &i.URL)

	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%.3000s", i.provider.process.stderr)
		}

		i.do(tb, "close")
	})

	return i
}

// Counts returns how many requests there were: "POST /token" and other targets, which are counted when they arrive, and "token
// refresh_token 200" and other endpoints, with the grant type and the status, which are counted when they are answered. The endpoints are
// discovery, jwks, authorization, pushed_authorization_request, token, revocation, userinfo and end_session.
func (i *Issuer) Counts(tb testing.TB) map[string]int {
	tb.Helper()

	counts := map[string]int{}
	i.provider.do(tb, map[string]any{"do": "counts", "issuer": i.URL}, &counts)

	return counts
}

// Down has the issuer end all connections, old and new ones, until Up. It forgets nothing.
func (i *Issuer) Down(tb testing.TB) {
	tb.Helper()
	i.do(tb, "down")
}

// Up ends Down.
func (i *Issuer) Up(tb testing.TB) {
	tb.Helper()
	i.do(tb, "up")
}

// Hold has responses with tokens wait until Release. The tokens are issued before.
func (i *Issuer) Hold(tb testing.TB) {
	tb.Helper()
	i.do(tb, "hold")
}

// Release ends Hold.
func (i *Issuer) Release(tb testing.TB) {
	tb.Helper()
	i.do(tb, "release")
}

func (i *Issuer) do(tb testing.TB, command string) {
	tb.Helper()

	var nothing any

	i.provider.do(tb, map[string]any{"do": command, "issuer": i.URL}, &nothing)
}

// do sends a command and decodes its result. Cleanups call it too.
func (o *openID) do(tb testing.TB, command map[string]any, result any) {
	tb.Helper()

	text, err := json.Marshal(command)
	if err != nil {
		tb.Fatal(err)
	}

	client := &http.Client{Timeout: patience}

	res, err := client.Post(o.control, "application/json", bytes.NewReader(text))
	if err != nil {
		tb.Fatalf("%v: %s", err, o.process.stderr)
	}
	defer res.Body.Close()

	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(answer, result)
	}

	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %s, %v: %s", text, res.Status, err, answer)
	}
}

func shared(tb testing.TB) *openID {
	tb.Helper()
	running.Lock()
	defer running.Unlock()

	if running.openID == nil {
		running.openID = startOpenID(tb)
	}

	return running.openID
}

func startOpenID(tb testing.TB) *openID {
	tb.Helper()

	program := node(tb)
	cmd := exec.Command(program, inTree(tb, "node/openid.js"))
	o := &openID{}

	var err error
	if o.stdin, err = cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}

	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}

	listening := make(chan Event, 1)
	o.process = run(tb, cmd, func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var event Event
			if json.Unmarshal(lines.Bytes(), &event) == nil {
				listening <- event // There is one.
			}
		}
	})

	select {
	case event := <-listening:
		o.control = fmt.Sprintf("http://127.0.0.1:%d", event.Port)
	case <-o.process.ended:
		tb.Fatalf("%s ended: %s", program, o.process.stderr)
	case <-time.After(patience):
		tb.Fatalf("%s does not listen: %s", program, o.process.stderr)
	}

	return o
}
