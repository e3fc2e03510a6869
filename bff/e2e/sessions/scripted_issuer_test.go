package sessions_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// scripted is an OpenID provider whose keys and responses are the test's. It logs a user in without asking, and takes no pushed
// requests, so that the whole request is in the URL. It is safe for concurrent use.
type scripted struct {
	url    string
	signer authtest.Signer
	// discovery are changes of the discovery document.
	discovery object
	// respond, if set, changes the parameters of an authorization response.
	respond func(url.Values)
	// life is that of the access tokens of a login. Those of a refresh last an hour.
	life time.Duration
	// held, if set, is waited for before a refresh.
	held chan struct{}

	// arrived counts the refreshes that were asked for.
	arrived atomic.Int32

	mu     sync.Mutex
	user   string
	grants map[string]grant
	// issued are all tokens and codes, and what the gateway has sent: secrets all of them.
	issued []string
	counts map[string]int
}

// grant is what a code or a refresh token is for.
type grant struct{ user, nonce, challenge, redirect string }

// startScripted starts a provider where alice logs in, with changes of its discovery document.
func startScripted(t *testing.T, discovery object) *scripted {
	t.Helper()

	i := &scripted{
		signer: authtest.NewSigner(t, "RS256", "key-1"), discovery: discovery, life: time.Hour,
		user: "alice", grants: map[string]grant{}, counts: map[string]int{},
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.document)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(authtest.KeySet(t, i.signer)) })
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) { i.token(t, w, r) })

	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	// It does not share cookies with what is on 127.0.0.1: it is another site.
	i.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)

	return i
}

// startOf starts a gateway whose issuer is a scripted one.
func startOf(t *testing.T, i *scripted, change func(*config.Config)) *site {
	t.Helper()

	at := newPlace(t)

	return startGateway(t, at, &servers.Issuer{URL: i.url}, at.url, change)
}

// as changes who logs in.
func (i *scripted) as(user string) {
	i.mu.Lock()
	defer i.mu.Unlock()

	i.user = user
}

// count is how many token requests of a grant type were granted.
func (i *scripted) count(grantType string) int {
	i.mu.Lock()
	defer i.mu.Unlock()

	return i.counts[grantType]
}

func (i *scripted) document(w http.ResponseWriter, _ *http.Request) {
	doc := object{
		"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token", "jwks_uri": i.url + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
	}
	maps.Copy(doc, i.discovery)
	_ = json.NewEncoder(w).Encode(doc)
}

// secret returns a new one, which is remembered. The mutex is held.
func (i *scripted) secret() string {
	text := rand.Text()
	i.issued = append(i.issued, text)

	return text
}

func (i *scripted) authorize(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()

	query := r.URL.Query()
	code := i.secret()
	i.issued = append(i.issued, query.Get("state"), query.Get("nonce"))
	i.grants[code] = grant{
		user: i.user, nonce: query.Get("nonce"), challenge: query.Get("code_challenge"), redirect: query.Get("redirect_uri"),
	}

	response := url.Values{"code": {code}, "state": {query.Get("state")}}
	if i.respond != nil {
		i.respond(response)
	}

	http.Redirect(w, r, query.Get("redirect_uri")+"?"+response.Encode(), http.StatusSeeOther)
}

func (i *scripted) token(t *testing.T, w http.ResponseWriter, r *http.Request) {
	t.Helper()

	kind, life := r.FormValue("grant_type"), i.life

	if kind == "refresh_token" {
		life = time.Hour

		i.arrived.Add(1)

		if i.held != nil {
			<-i.held
		}
	}

	i.mu.Lock()
	defer i.mu.Unlock()

	name := map[string]string{"authorization_code": "code", "refresh_token": "refresh_token"}[kind]
	found, ok := i.grants[r.FormValue(name)]
	delete(i.grants, r.FormValue(name))

	verifier := r.FormValue("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	proven := kind == "refresh_token" || base64.RawURLEncoding.EncodeToString(sum[:]) == found.challenge

	w.Header().Set("Content-Type", "application/json")

	if !ok || !proven {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_grant"}`)

		return
	}

	i.counts[kind]++

	refresh := i.secret()
	i.grants[refresh] = found
	access := i.sign(t, object{"aud": audience, "sub": found.user, "scope": "orders:read", "exp": time.Now().Add(life).Unix()})
	id := i.sign(t, object{"nonce": found.nonce, "sid": "sid of " + found.user, "sub": found.user})
	i.issued = append(i.issued, access, id)

	if verifier != "" {
		i.issued = append(i.issued, verifier)
	}

	_ = json.NewEncoder(w).Encode(object{
		"access_token": access, "token_type": "Bearer", "expires_in": int(life.Seconds()), "refresh_token": refresh, "id_token": id,
	})
}

// sign signs claims for the client of the gateway, with changes.
func (i *scripted) sign(t *testing.T, changes object) string {
	t.Helper()

	now := time.Now()

	return i.signer.Sign(t, object{"alg": i.signer.Alg, "kid": i.signer.KeyID}, authtest.Changed(object{
		"iss": i.url, "aud": clientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(),
	}, changes))
}
