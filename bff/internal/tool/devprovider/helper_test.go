package devprovider_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

// callback is where no client listens: browsers of these tests do not go there.
const callback = "http://127.0.0.1:8080" + devprovider.CallbackPath

// party is a client of a provider that runs.
type party struct {
	issuer   *devissuer.DevIssuer
	provider *oidc.Provider
	config   oauth2.Config
}

func mustIssuer(tb testing.TB) *devissuer.DevIssuer {
	tb.Helper()

	issuer, err := devissuer.Open(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}

	return issuer
}

// start runs a provider, and discovers it.
func start(tb testing.TB, options devprovider.Options) *party {
	tb.Helper()

	server := httptest.NewUnstartedServer(nil)
	tb.Cleanup(server.Close)

	key := mustIssuer(tb)

	p, err := devprovider.New("http://"+server.Listener.Addr().String()+devprovider.DevPath, key, options)
	if err != nil {
		tb.Fatal(err)
	}

	server.Config.Handler = p
	server.Start()

	return discover(tb, p.Issuer(), key)
}

func discover(tb testing.TB, issuer string, key *devissuer.DevIssuer) *party {
	tb.Helper()

	provider, err := oidc.NewProvider(tb.Context(), issuer)
	if err != nil {
		tb.Fatal(err)
	}

	// Otherwise it would try both ways, and use a code twice.
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader

	return &party{issuer: key, provider: provider, config: oauth2.Config{
		ClientID: devprovider.ClientID, ClientSecret: devprovider.ClientSecret, Endpoint: endpoint, RedirectURL: callback,
		Scopes: []string{"openid", "profile", "email", "offline_access", "users:admin", "orders:admin"},
	}}
}

func (p *party) verifier() *oidc.IDTokenVerifier {
	return p.provider.Verifier(&oidc.Config{ClientID: devprovider.ClientID, SupportedSigningAlgs: []string{oidc.EdDSA}})
}

// browser keeps cookies, and follows redirects until they leave the provider.
type browser struct {
	tb     testing.TB
	client *http.Client
}

func newBrowser(tb testing.TB) *browser {
	tb.Helper()

	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}

	return &browser{tb: tb, client: &http.Client{
		Jar: jar,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if !strings.HasPrefix(r.URL.Path, devprovider.DevPath) {
				return http.ErrUseLastResponse
			}

			return nil
		},
	}}
}

// page is where a browser is: at a page of the provider, or at the end of a redirect.
type page struct {
	status int
	// at is the URL of the page, or of the redirect that leaves the provider.
	at   *url.URL
	body string
}

// isLogin reports whether the provider asks who the user is.
func (p page) isLogin() bool {
	return p.status == http.StatusOK && strings.Contains(p.body, `name="user"`)
}

func (b *browser) open(target string) page {
	b.tb.Helper()

	r, err := http.NewRequestWithContext(b.tb.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.tb.Fatal(err)
	}

	return b.do(r)
}

// end opens a URL of a logout, and agrees if it is asked.
func (b *browser) end(target string) page {
	b.tb.Helper()

	got := b.open(target)
	if strings.Contains(got.body, `<form method="post">`) {
		got = b.press(got, "")
	}

	return got
}

// press sends the form of a page with the button of a user.
func (b *browser) press(at page, user string) page {
	b.tb.Helper()

	r, err := http.NewRequestWithContext(b.tb.Context(), http.MethodPost, at.at.String(), strings.NewReader("user="+user))
	if err != nil {
		b.tb.Fatal(err)
	}

	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")

	return b.do(r)
}

func (b *browser) do(r *http.Request) page {
	b.tb.Helper()

	response, err := b.client.Do(r)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer response.Body.Close()

	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.tb.Fatal(err)
	}

	at := response.Request.URL
	if location, err := response.Location(); err == nil {
		at = location
	}

	return page{status: response.StatusCode, at: at, body: string(body)}
}

// authURL is that of an authorization request with PKCE, whose verifier is "v" as often as one may be short, and changed.
func (p *party) authURL(change ...oauth2.AuthCodeOption) string {
	return p.config.AuthCodeURL("the state", slices.Concat([]oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "the nonce"),
	}, change)...)
}

var verifier = strings.Repeat("v", 43)

// logIn logs a user in with the browser, and returns the query of the response.
func (p *party) logIn(b *browser, user string, change ...oauth2.AuthCodeOption) url.Values {
	b.tb.Helper()

	login := b.open(p.authURL(change...))
	if !login.isLogin() {
		b.tb.Fatalf("no login page: %+v", login)
	}

	return wantResponse(b.tb, b.press(login, user))
}

// wantResponse wants a redirect to the client.
func wantResponse(tb testing.TB, got page) url.Values {
	tb.Helper()

	if !strings.HasPrefix(got.at.String(), callback+"?") {
		tb.Fatalf("no redirect to the client: %+v", got)
	}

	return got.at.Query()
}

// exchange is a code flow with the user.
func (p *party) exchange(tb testing.TB, user string) *oauth2.Token {
	tb.Helper()

	token, err := p.config.Exchange(tb.Context(), p.logIn(newBrowser(tb), user).Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		tb.Fatal(err)
	}

	return token
}

// refresh exchanges a refresh token.
func (p *party) refresh(tb testing.TB, token string) (*oauth2.Token, error) {
	tb.Helper()

	return p.config.TokenSource(tb.Context(), &oauth2.Token{RefreshToken: token}).Token()
}

// wantError wants an error response of the token endpoint (RFC 6749, section 5.2).
func wantError(tb testing.TB, err error, code string) {
	tb.Helper()

	if failed, ok := err.(*oauth2.RetrieveError); !ok || failed.ErrorCode != code { //nolint:errorlint // It is not wrapped.
		tb.Errorf("error is %v, not %s", err, code)
	}
}

// post sends a form to an endpoint, and returns the status.
func (p *party) post(tb testing.TB, target string, form url.Values) int {
	tb.Helper()

	r, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		tb.Fatal(err)
	}

	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")

	response, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}

	if err := response.Body.Close(); err != nil {
		tb.Fatal(err)
	}

	return response.StatusCode
}

// endpoint is one that discovery names.
func (p *party) endpoint(tb testing.TB, name string) string {
	tb.Helper()

	all := map[string]any{}
	if err := p.provider.Claims(&all); err != nil {
		tb.Fatal(err)
	}

	text, ok := all[name].(string)
	if !ok {
		tb.Fatalf("discovery has no %s: %v", name, all)
	}

	return text
}
