package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

func TestAuthorizationURL(t *testing.T) {
	t.Parallel()

	i := start(t)
	i.metadata["authorization_endpoint"] = i.url + "/authorize?policy=b2c"

	location, err := i.client(func(s *config.Sessions) {
		s.AuthorizationParameters = map[string]string{"audience": "api & more", "prompt": "login"}
	}).AuthorizationURL(t.Context(), login())
	if err != nil {
		t.Fatal(err)
	}

	sum := sha256.Sum256([]byte("the verifier"))
	want := url.Values{
		"policy": {"b2c"}, "response_type": {"code"}, "client_id": {clientID}, "scope": {"openid email"}, "state": {"the state"},
		"nonce": {"the nonce"}, "redirect_uri": {"https://app.example/auth/callback"}, "audience": {"api & more"}, "prompt": {"login"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	if diff := cmp.Diff(want, queryOf(t, location)); diff != "" {
		t.Error(diff)
	}
}

// Of a request that was pushed, the browser carries nothing but its name.
func TestPushedRequest(t *testing.T) {
	t.Parallel()

	i := start(t)
	i.metadata["pushed_authorization_request_endpoint"] = i.url + "/par"
	p := i.client(func(s *config.Sessions) { s.ClientSecret = "secret" })

	var form url.Values

	for name, tt := range map[string]struct {
		status int
		body   any
		want   error
	}{
		"created":    {http.StatusCreated, map[string]any{"request_uri": "urn:a:1", "expires_in": 60}, nil},
		"ok":         {http.StatusOK, map[string]any{"request_uri": "urn:a:1"}, nil},
		"without":    {http.StatusCreated, map[string]any{}, ErrUnavailable},
		"refused":    {http.StatusBadRequest, map[string]any{"error": "invalid_request"}, ErrClient},
		"wrong_type": {http.StatusCreated, []int{1}, ErrUnavailable},
		"down":       {http.StatusBadGateway, "x", ErrUnavailable},
	} {
		i.endpoints["/par"] = func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			form = r.PostForm
			reply(w, tt.status, tt.body)
		}

		location, err := p.AuthorizationURL(t.Context(), login())
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}

		if tt.want != nil {
			continue
		}

		if diff := cmp.Diff(url.Values{"client_id": {clientID}, "request_uri": {"urn:a:1"}}, queryOf(t, location)); diff != "" {
			t.Error(diff)
		}

		if form.Get("state") != "the state" || form.Get("code_challenge") == "" || form.Get("redirect_uri") == "" || form.Has("client_secret") {
			t.Errorf("pushed %v", form)
		}
	}
}

func TestIssuerOfTheResponse(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		sends bool
		iss   []string
		ok    bool
	}{
		"not_sent":            {false, nil, true},
		"sent_anyway":         {false, []string{"ISSUER"}, true},
		"another_anyway":      {false, []string{"https://other.example"}, false},
		"sent":                {true, []string{"ISSUER"}, true},
		"missing":             {true, nil, false},
		"empty":               {true, []string{""}, false},
		"another":             {true, []string{"https://other.example"}, false},
		"with_a_slash":        {true, []string{"ISSUER/"}, false},
		"twice":               {true, []string{"ISSUER", "ISSUER"}, false},
		"with_another_before": {false, []string{"https://other.example", "ISSUER"}, false},
	} {
		i := start(t)
		i.metadata["authorization_response_iss_parameter_supported"] = tt.sends

		response := url.Values{}
		for _, text := range tt.iss {
			response.Add("iss", strings.ReplaceAll(text, "ISSUER", i.url))
		}

		if err := i.client(nil).CheckIssuer(t.Context(), response); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// RFC 6749, section 2.3.1: in the header, both are encoded as in a form first.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()

	const id, secret = "a client:%+/é", "s e+c%r:e&t=ü"

	for name, tt := range map[string]struct {
		auth, secret string
		header       string
		form         url.Values
	}{
		"basic":  {config.ClientAuthBasic, secret, url.QueryEscape(id) + ":" + url.QueryEscape(secret), url.Values{}},
		"post":   {config.ClientAuthPost, secret, "", url.Values{"client_id": {id}, "client_secret": {secret}}},
		"public": {config.ClientAuthBasic, "", "", url.Values{"client_id": {id}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			i := start(t)
			i.metadata["revocation_endpoint"] = i.url + "/revoke"
			p := i.client(func(s *config.Sessions) { s.ClientID, s.ClientSecret, s.ClientAuth = id, tt.secret, tt.auth })

			check := func(w http.ResponseWriter, r *http.Request) {
				user, password, ok := r.BasicAuth()
				if ok != (tt.header != "") || ok && user+":"+password != tt.header {
					t.Errorf("%s: Authorization is %q:%q", r.URL.Path, user, password)
				}

				_ = r.ParseForm()

				for _, name := range []string{"client_id", "client_secret"} {
					if name == "client_id" && r.URL.Path == "/revoke" {
						continue // It may also be there besides the header.
					}

					if diff := cmp.Diff(tt.form[name], r.PostForm[name]); diff != "" {
						t.Errorf("%s: %s: %s", r.URL.Path, name, diff)
					}
				}

				reply(w, http.StatusOK, map[string]any{"access_token": "x", "token_type": "bearer"})
			}
			i.endpoints["/token"], i.endpoints["/revoke"] = check, check

			if _, err := p.Refresh(t.Context(), "refresh"); err != nil {
				t.Error(err)
			}

			if err := p.Revoke(t.Context(), "refresh"); err != nil {
				t.Error(err)
			}
		})
	}
}

// half is the half of a hash that at_hash has (OpenID Connect Core 1.0, section 3.1.3.6).
func half(text string) string {
	sum := sha256.Sum256([]byte(text))

	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func TestTokens(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("a", maxToken)

	for name, tt := range map[string]struct {
		claims map[string]any
		tokens map[string]any
		fault  string
	}{
		"valid":               {},
		"at_hash":             {claims: map[string]any{"at_hash": half("access")}},
		"another_at_hash":     {claims: map[string]any{"at_hash": half("other")}, fault: "at_hash"},
		"nonce":               {claims: map[string]any{"nonce": "another"}, fault: "nonce"},
		"no_nonce":            {claims: map[string]any{"nonce": nil}, fault: "nonce"},
		"no_subject":          {claims: map[string]any{"sub": nil}, fault: "subject"},
		"subject_is_a_number": {claims: map[string]any{"sub": 7}, fault: "claims"},
		"another_issuer":      {claims: map[string]any{"iss": "https://other.example"}, fault: "different provider"},
		"another_audience":    {claims: map[string]any{"aud": "other"}, fault: "audience"},
		"no_audience":         {claims: map[string]any{"aud": nil}, fault: "audience"},
		"expired":             {claims: map[string]any{"exp": 1}, fault: "expired"},
		"no_expiry":           {claims: map[string]any{"exp": nil}, fault: "expired"},
		"azp":                 {claims: map[string]any{"azp": clientID, "aud": []string{clientID, "api"}}},
		"azp_with_one":        {claims: map[string]any{"azp": clientID}},
		"audiences_no_azp":    {claims: map[string]any{"aud": []string{clientID, "api"}}, fault: "another party"},
		"another_azp":         {claims: map[string]any{"azp": "other"}, fault: "another party"},
		"azp_is_no_text":      {claims: map[string]any{"azp": []string{clientID}}, fault: "another party"},
		"no_id_token":         {tokens: map[string]any{"id_token": nil}, fault: "no ID token"},
		"id_token_no_text":    {tokens: map[string]any{"id_token": 7}, fault: "no ID token"},
		"no_jwt":              {tokens: map[string]any{"id_token": "a.b"}, fault: "ID token"},
		"type_in_lower_case":  {tokens: map[string]any{"token_type": "bearer"}},
		"dpop":                {tokens: map[string]any{"token_type": "DPoP"}, fault: "no bearer token"},
		"long":                {tokens: map[string]any{"access_token": long}},
		"too_long":            {tokens: map[string]any{"access_token": long + "a"}, fault: "more than 16384 bytes"},
		"long_refresh_token":  {tokens: map[string]any{"refresh_token": long + "a"}, fault: "more than 16384 bytes"},
		"line_end":            {tokens: map[string]any{"access_token": "a\r\nx: y"}, fault: "printable ASCII"},
		"unicode":             {tokens: map[string]any{"access_token": "ä"}, fault: "printable ASCII"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			i := start(t)
			signed := i.sign(i.claims(tt.claims))
			change := map[string]any{"id_token": signed}
			maps.Copy(change, tt.tokens)
			i.issues(change)

			got, err := i.client(nil).Exchange(t.Context(), "code", login())

			switch {
			case tt.fault == "" && (err != nil || got.Subject() != "alice" || got.Refresh != "refresh" || got.AccessUntil.IsZero()):
				t.Errorf("got %+v, %v", got, err)
			case tt.fault != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.fault) || got.Access != ""):
				t.Errorf("got %.200v, %.2000v; want %q", got, err, tt.fault)
			case err != nil && strings.Contains(err.Error(), signed):
				t.Errorf("the token is in the error: %v", err)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		scope any
		want  []string
	}{
		"as_asked": {nil, []string{"openid", "email"}}, "fewer": {"openid", []string{"openid"}}, "none": {"", []string{}},
		"more": {" openid  orders:read ", []string{"openid", "orders:read"}},
	} {
		i := start(t)
		i.issues(map[string]any{"scope": tt.scope})

		got, err := i.client(nil).Exchange(t.Context(), "code", login())
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(tt.want, got.Scopes); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Hazard 22, for ID tokens: only asymmetric algorithms, and none that the token itself brings.
func TestAlgorithms(t *testing.T) {
	t.Parallel()

	for name, forge := range map[string]func(i *issuer) string{
		"none": func(i *issuer) string {
			text, _ := jwt.NewWithClaims(jwt.SigningMethodNone, i.claims(nil)).SignedString(jwt.UnsafeAllowNoneSignatureType)
			return text
		},
		"secret": func(i *issuer) string {
			text, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, i.claims(nil)).SignedString([]byte("secret"))
			return text
		},
		"own_key": func(i *issuer) string {
			other := newIssuer(t, i.url)
			token := jwt.NewWithClaims(jwt.SigningMethodES256, i.claims(nil))
			token.Header["kid"] = "first"
			token.Header["jwk"] = map[string]any{"kty": "EC", "crv": "P-256"}
			text, _ := token.SignedString(other.key)

			return text
		},
		"unsigned": func(i *issuer) string {
			text := i.sign(i.claims(nil))
			return text[:strings.LastIndex(text, ".")+1]
		},
	} {
		i := start(t)
		i.issues(map[string]any{"id_token": forge(i)})

		if _, err := i.client(func(s *config.Sessions) { s.ClientSecret = "secret" }).Exchange(t.Context(), "code", login()); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}

	m := metadata{Algorithms: []string{"none", "HS256", "HS512"}}
	if got := m.algorithms(); !cmp.Equal(got, []string{"RS256"}) {
		t.Errorf("got %v", got)
	}
}
