package session

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	theIssuer = "https://login.example"
	tokenLife = 5 * time.Minute
)

// issuer is a Provider that does as a test says. Its access tokens are the subject and a number.
type issuer struct {
	mu sync.Mutex
	// subject is who logs in, and sid the issuer's session.
	subject, sid string
	// claims are further ones of ID tokens, and scopes those of responses.
	claims map[string]any
	scopes []string
	// held, if set, is waited for before a login begins.
	held chan struct{}
	// noRefresh: there are no refresh tokens.
	noRefresh bool
	// begun are the logins by their state.
	begun map[string]provider.Login
	// revoked are refresh tokens.
	revoked []string
	// refreshes counts calls.
	refreshes, issued int

	// Errors of each method, and what changes the tokens of a refresh.
	authorizing, mixUp, exchanging, refreshing, revoking, leaving, verifying error

	refreshed func(ctx context.Context, tokens *provider.Tokens)
	logout    provider.Logout
}

func (i *issuer) AuthorizationURL(_ context.Context, login provider.Login) (string, error) {
	if i.held != nil {
		<-i.held
	}

	i.mu.Lock()
	defer i.mu.Unlock()

	i.begun[login.State] = login

	return theIssuer + "/authorize?" + url.Values{"state": {login.State}}.Encode(), i.authorizing
}

func (i *issuer) CheckIssuer(context.Context, url.Values) error { return i.mixUp }

func (i *issuer) tokens() provider.Tokens {
	i.issued++
	suffix := " " + string(rune('0'+i.issued%10))

	t := provider.Tokens{
		Access: i.subject + suffix, AccessUntil: time.Now().Add(tokenLife), Refresh: "refresh" + suffix, ID: "id" + suffix,
		Claims: map[string]any{"sub": i.subject, "name": "The " + i.subject, "secret": "x"},
	}

	if i.sid != "" {
		t.Claims["sid"] = i.sid
	}

	maps.Copy(t.Claims, i.claims)
	t.Scopes = i.scopes

	if i.noRefresh {
		t.Refresh = ""
	}

	return t
}

func (i *issuer) Exchange(_ context.Context, code string, login provider.Login) (provider.Tokens, error) {
	i.mu.Lock()
	defer i.mu.Unlock()

	if i.exchanging != nil {
		return provider.Tokens{}, i.exchanging
	}

	begun := i.begun[code]
	if login.State = begun.State; login != begun || code == "" {
		return provider.Tokens{}, provider.ErrRefused
	}

	t := i.tokens()
	t.Claims["nonce"] = begun.Nonce

	return t, nil
}

func (i *issuer) Refresh(ctx context.Context, refreshToken string) (provider.Tokens, error) {
	i.mu.Lock()
	i.refreshes++
	t, err, change := i.tokens(), i.refreshing, i.refreshed
	i.mu.Unlock()

	if refreshToken == "" {
		return provider.Tokens{}, errors.New("no refresh token")
	}

	if change != nil {
		change(ctx, &t)
	}

	if err != nil {
		return provider.Tokens{Refresh: t.Refresh}, err
	}

	return t, nil
}

func (i *issuer) Revoke(_ context.Context, refreshToken string) error {
	i.mu.Lock()
	defer i.mu.Unlock()

	i.revoked = append(i.revoked, refreshToken)

	return i.revoking
}

func (i *issuer) LogoutURL(_ context.Context, idToken, returnTo string) (string, error) {
	return theIssuer + "/end?" + url.Values{"hint": {idToken}, "to": {returnTo}}.Encode(), i.leaving
}

func (i *issuer) VerifyLogout(context.Context, string) (provider.Logout, error) {
	return i.logout, i.verifying
}

// fragile is a Store that fails while it has an error.
type fragile struct {
	Store

	err atomic.Pointer[error]
	// Each fails so many times.
	loads, replaces, deletes, deletesAll, releases atomic.Int64
	// claims counts calls.
	claims atomic.Int64
}

// hiccup is an error as long as there are any left.
func hiccup(left *atomic.Int64) error {
	if left.Add(-1) >= 0 {
		return errors.New("the store hiccups")
	}

	return nil
}

func (f *fragile) fail(err error) { f.err.Store(&err) }

func (f *fragile) fault() error {
	if err := f.err.Load(); err != nil {
		return *err
	}

	return nil
}

func (f *fragile) Create(ctx context.Context, e Entry) error {
	if err := f.fault(); err != nil {
		return err
	}

	return f.Store.Create(ctx, e)
}

func (f *fragile) Load(ctx context.Context, key string, idle time.Duration) (Stored, error) {
	if err := errors.Join(f.fault(), hiccup(&f.loads)); err != nil {
		return Stored{}, err
	}

	return f.Store.Load(ctx, key, idle)
}

func (f *fragile) Replace(ctx context.Context, key string, version int64, data []byte) error {
	// A store elsewhere would not be asked.
	if err := errors.Join(ctx.Err(), hiccup(&f.replaces)); err != nil {
		return err
	}

	return f.Store.Replace(ctx, key, version, data)
}

func (f *fragile) Delete(ctx context.Context, key string) error {
	if err := errors.Join(f.fault(), hiccup(&f.deletes)); err != nil {
		return err
	}

	return f.Store.Delete(ctx, key)
}

func (f *fragile) DeleteAll(ctx context.Context, label string) (int, error) {
	if err := errors.Join(f.fault(), hiccup(&f.deletesAll)); err != nil {
		return 0, err
	}

	return f.Store.DeleteAll(ctx, label)
}

func (f *fragile) Release(ctx context.Context, name, owner string) error {
	if err := hiccup(&f.releases); err != nil {
		return err
	}

	return f.Store.Release(ctx, name, owner)
}

func (f *fragile) Claim(ctx context.Context, name, owner string, lease time.Duration) (bool, error) {
	f.claims.Add(1)

	if err := f.fault(); err != nil {
		return false, err
	}

	return f.Store.Claim(ctx, name, owner, lease)
}

// site is a gateway with sessions, without all else.
type site struct {
	testing.TB
	*Sessions

	issuer *issuer
	store  *fragile
	keys   atomic.Pointer[vault.Vault]
	// identify, if it is set, comes before the identity of the tokens.
	identify func(provider.Tokens) error

	mu     sync.Mutex
	events []string
	log    bytes.Buffer
}

// ObserveSession implements Observer.
func (s *site) ObserveSession(event, outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.events = append(s.events, event+" "+outcome)
}

// Write is for the log.
func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.log.Write(p)
}

// counted checks the last event.
func (s *site) counted(want string) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.events) == 0 || s.events[len(s.events)-1] != want {
		s.Errorf("counted %q, want %q at the end", s.events, want)
	}
}

func settings(change func(*config.Sessions)) config.Sessions {
	a := config.Auth{Sessions: config.Sessions{Issuer: theIssuer, ClientID: "portico", PublicURL: "https://app.example"}}
	cfg := a.WithDefaults().Sessions

	if change != nil {
		change(&cfg)
	}

	return cfg
}

// open opens one over a store.
func open(tb testing.TB, store Store, change func(*config.Sessions)) *site {
	tb.Helper()

	s := &site{TB: tb, issuer: &issuer{subject: "alice", begun: map[string]provider.Login{}}, store: &fragile{Store: store}}

	keys, err := vault.Random()
	if err != nil {
		tb.Fatal(err)
	}

	s.keys.Store(keys)

	s.Sessions, err = New(settings(change), Deps{
		Store: s.store, Provider: s.issuer, Vault: s.keys.Load, Identify: s.who, TrustedOrigins: []string{"https://trusted.example"},
		Logger: slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug})), Observer: s,
	})
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func (s *site) who(_ context.Context, t provider.Tokens) (reqinfo.Principal, time.Time, error) {
	if s.identify != nil {
		if err := s.identify(t); err != nil {
			return reqinfo.Principal{}, time.Time{}, err
		}
	}

	subject, _, _ := strings.Cut(t.Access, " ")

	return reqinfo.Principal{Subject: "staff:" + subject, Issuer: theIssuer, Scopes: []string{"orders"}}, time.Time{}, nil
}

// with runs a test with a site of its own, in virtual time.
func with(t *testing.T, change func(*config.Sessions), test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := NewMemory(100)
		if err != nil {
			t.Fatal(err)
		}

		s := open(t, store, change)
		test(t, s)
		synctest.Wait()

		if err := s.Close(); err != nil {
			t.Error(err)
		}

		// Nothing that the log has lets anyone in.
		for _, secret := range []string{"refresh 1", "refresh 2", "id 1", "id 2", "alice 1", "alice 2"} {
			if strings.Contains(s.log.String(), secret) {
				t.Errorf("the log has %q: %s", secret, s.log.String())
			}
		}
	})
}

// browser has cookies, and says where its requests come from.
type browser struct {
	*site

	cookies map[string]string
	header  http.Header
}

func (s *site) browser() *browser {
	return &browser{site: s, cookies: map[string]string{}, header: http.Header{}}
}

// answer is a response, and what its request has on its record.
type answer struct {
	*httptest.ResponseRecorder

	rec *reqinfo.Record
}

// send sends a request, and takes the cookies of the response.
func (b *browser) send(method, target string, header ...string) answer {
	b.Helper()

	r := httptest.NewRequest(method, "https://app.example"+target, nil)
	if target == BackchannelPath {
		r = httptest.NewRequest(method, "https://app.example"+target, strings.NewReader("logout_token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}

	maps.Copy(r.Header, b.header)

	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}

	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.cookies[name]})
	}

	rec := &reqinfo.Record{ID: "the-request"}
	w := httptest.NewRecorder()
	b.serve(w, r.WithContext(reqinfo.NewContext(r.Context(), rec)))

	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		} else {
			b.cookies[cookie.Name] = cookie.Value
		}
	}

	return answer{w, rec}
}

// serve is a gateway: it identifies the caller, and serves the pages, or shows who calls.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	found, ok, err := s.Find(r)
	if err != nil {
		p, _ := errors.AsType[*problem.Problem](err)
		problem.Write(w, r, p, err)

		return
	}

	pages := map[string]http.HandlerFunc{
		LoginPath: s.Login, CallbackPath: s.Callback, LogoutPath: s.Logout, StatePath: s.State, BackchannelPath: s.Backchannel,
	}

	switch page := pages[r.URL.Path]; {
	case page != nil:
		page(w, r)
	case ok:
		_, _ = w.Write([]byte(found.Principal.Subject + " with " + found.Authorization))
	default:
		_, _ = w.Write([]byte("anonymous"))
	}
}

// login logs in, and fails if it cannot.
func (b *browser) login() *browser {
	b.Helper()

	if res := b.callback(b.begin("/app")); res.Code != http.StatusSeeOther {
		b.Fatalf("login: %d %s", res.Code, res.Body)
	}

	return b
}

// begin begins a login, and returns its state.
func (b *browser) begin(returnTo string) string {
	b.Helper()

	res := b.send(http.MethodGet, LoginPath+"?"+url.Values{"return_to": {returnTo}}.Encode())

	to, err := url.Parse(res.Header().Get("Location"))
	if err != nil || res.Code != http.StatusSeeOther {
		b.Fatalf("begin: %d %s", res.Code, res.Body)
	}

	return to.Query().Get("state")
}

// callback comes back from the issuer: the code is the state.
func (b *browser) callback(state string) answer {
	b.Helper()

	return b.send(http.MethodGet, CallbackPath+"?"+url.Values{"state": {state}, "code": {state}}.Encode())
}

// shows checks who calls a route.
func (b *browser) shows(want string) {
	b.Helper()

	if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusOK || res.Body.String() != want {
		b.Fatalf("got %d %s, want %q", res.Code, res.Body, want)
	}
}

// otherKeys replaces the keys.
func (s *site) otherKeys() {
	s.Helper()

	keys, err := vault.Random()
	if err != nil {
		s.Fatal(err)
	}

	s.keys.Store(keys)
}
