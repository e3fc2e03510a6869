package access_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// vouched says whom a credential stands for.
func vouched(credential string) (*bff.Principal, error) {
	switch credential {
	case "alices":
		return &bff.Principal{Subject: "alice", Scopes: []string{"orders:read"}, Roles: []string{"customer"}, Tenant: "acme"}, nil
	case "locked":
		return nil, status.Error(codes.PermissionDenied, "the account is locked")
	case "expired":
		return nil, status.Error(codes.Unauthenticated, "secret: expired yesterday")
	case "store-down":
		return nil, errors.New("dial tcp 10.0.0.7: connection refused")
	case "not-found":
		return nil, status.Error(codes.NotFound, "no such session")
	case "nameless":
		return &bff.Principal{Scopes: []string{"users:admin"}}, nil
	case "unfit":
		return &bff.Principal{Subject: "Zoë", Scopes: []string{"a b"}}, nil
	case "panic":
		panic("the authenticator is broken")
	default:
		return nil, nil //nolint:nilnil // It is none of the program's.
	}
}

// place is where a credential of the program is.
type place struct {
	authenticator bff.Authenticator
	// carry puts a credential into a header.
	carry func(header http.Header, credential string)
	// challenge is that of the program beside Bearer.
	challenge string
	// others reports whether a credential that is not the program's is looked at by the gateway, as a token.
	others bool
}

func places() map[string]place {
	return map[string]place{
		"cookie": {
			bff.Authenticator{Name: "session", Cookie: "sid", Authenticate: func(r *http.Request) (*bff.Principal, error) {
				cookie, err := r.Cookie("sid")
				if err != nil {
					return nil, err
				}

				// It cannot change what goes on.
				r.Header.Set("Authorization", "Bearer x")

				return vouched(cookie.Value)
			}},
			func(h http.Header, credential string) { h.Add("Cookie", "other=1; sid="+credential) }, "session", false,
		},
		"header": {
			bff.Authenticator{Name: "ticket", Header: "X-Ticket", Challenge: `Ticket realm="x"`, Authenticate: func(r *http.Request) (*bff.Principal, error) {
				return vouched(r.Header.Get("X-Ticket"))
			}},
			func(h http.Header, credential string) { h.Add("X-Ticket", credential) }, `Ticket realm="x"`, false,
		},
		"scheme": {
			bff.Authenticator{Name: "password", Scheme: "Basic", Authenticate: func(r *http.Request) (*bff.Principal, error) {
				user, _, _ := r.BasicAuth()

				return vouched(user)
			}},
			func(h http.Header, credential string) {
				r := http.Request{Header: http.Header{}}
				r.SetBasicAuth(credential, "p")
				h.Add("Authorization", r.Header.Get("Authorization"))
			}, "Basic", true,
		},
		"opaque_bearer": {
			bff.Authenticator{Name: "opaque", Scheme: "bearer", Authenticate: func(r *http.Request) (*bff.Principal, error) {
				_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")

				return vouched(token)
			}},
			func(h http.Header, credential string) { h.Add("Authorization", "Bearer "+credential) }, "", true,
		},
	}
}

func TestAuthenticator(t *testing.T) {
	t.Parallel()

	for name, place := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.Start(t, nil, bff.WithAuthenticator(place.authenticator))
			ask := func(target string, credentials ...string) gatewaytest.Response {
				header := http.Header{}
				for _, c := range credentials {
					place.carry(header, c)
				}

				return s.Do(t, http.MethodGet, target, header, "")
			}

			if res := ask("/v1/users/alice/orders", "alices"); res.Status != http.StatusOK {
				t.Fatalf("%d %s", res.Status, res.Body)
			}

			for _, c := range s.TakeCalls() {
				for field, want := range map[string]string{
					"x-portico-subject": "alice", "x-portico-scopes": "orders:read", "x-portico-roles": "customer", "x-portico-tenant": "acme",
				} {
					if got := c.Metadata.Get(field); !slices.Equal(got, []string{want}) {
						t.Errorf("%s is %q", field, got)
					}
				}

				for _, field := range []string{"cookie", "x-ticket", "authorization"} {
					if got := c.Metadata.Get(field); len(got) > 0 {
						t.Errorf("a backend gets %s: %q", field, got)
					}
				}
			}

			for credential, want := range map[string]int{
				"locked": http.StatusForbidden, "expired": http.StatusUnauthorized, "store-down": http.StatusServiceUnavailable,
				"not-found": http.StatusServiceUnavailable, "nameless": http.StatusUnauthorized, "unfit": http.StatusUnauthorized,
				"panic": http.StatusInternalServerError, "unknown": http.StatusUnauthorized,
			} {
				// On a public route as well, unless it is as if it were not there.
				for _, target := range []string{"/v1/users/alice", "/v1/users/alice/orders"} {
					res := ask(target, credential)
					doc := res.Problem(t)

					if res.Status != want || strings.Contains(res.Body, "secret") || strings.Contains(res.Body, "10.0.0.7") {
						t.Errorf("%s: %d %s", credential, res.Status, res.Body)
					}

					if credential == "locked" && doc["detail"] != "the account is locked" {
						t.Errorf("%s: %s", credential, res.Body)
					}

					if want == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
						t.Errorf("%s: no Retry-After", credential)
					}

					if want == http.StatusUnauthorized && place.challenge != "" && !slices.Contains(res.Header.Values("Www-Authenticate"), place.challenge) {
						t.Errorf("%s: challenges %q", credential, res.Header.Values("Www-Authenticate"))
					}
				}
			}

			if res := ask("/v1/users/alice", "alices", "alices"); res.Status != http.StatusUnauthorized {
				t.Errorf("twice: %d", res.Status)
			}

			both := s.As(t, "alice")
			place.carry(both, "alices")

			if res := s.Do(t, http.MethodGet, "/v1/users/alice", both, ""); res.Status != http.StatusUnauthorized {
				t.Errorf("with a token: %d %s", res.Status, res.Body)
			}

			if calls := s.TakeCalls(); len(calls) > 0 {
				t.Errorf("reached %v", gatewaytest.RPCs(calls))
			}

			// What the gateway knows itself goes on counting.
			if res := s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), ""); res.Status != http.StatusOK {
				t.Errorf("with a token: %d %s", res.Status, res.Body)
			}

			if res := ask("/v1/users/alice"); res.Status != http.StatusUnauthorized ||
				len(res.Header.Values("Www-Authenticate")) != 1+min(len(place.challenge), 1) {
				t.Errorf("anonymous: %d %q", res.Status, res.Header.Values("Www-Authenticate"))
			}

			for _, want := range []string{"expired yesterday", "10.0.0.7", "the authenticator is broken", "authenticator " + place.authenticator.Name} {
				if !strings.Contains(s.Logs.String(), want) {
					t.Errorf("the log does not say %q", want)
				}
			}
		})
	}
}

// A public route is open to those who have no credential of the program, and a stream knows who reads it.
func TestAuthenticatorOnPublicRoutesAndStreams(t *testing.T) {
	t.Parallel()

	place := places()["cookie"]
	s := gatewaytest.Start(t, func(cfg *config.Config) { cfg.Auth = config.Auth{} }, bff.WithAuthenticator(place.authenticator))

	header := http.Header{"Accept": {"text/event-stream"}}
	place.carry(header, "alices")

	if res := s.Do(t, http.MethodGet, "/v1/orders/o1:watch", header, ""); res.Status != http.StatusOK || !strings.Contains(res.Body, "event: end") {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	res := s.Do(t, http.MethodGet, "/v1/users/alice", nil, "")
	if got := res.Header.Values("Www-Authenticate"); res.Status != http.StatusUnauthorized || !slices.Equal(got, []string{"session"}) {
		t.Errorf("%d %q: no tokens are taken", res.Status, got)
	}
}

// net/http drops cookies whose values are not valid. They are credentials nevertheless: one such is refused, and one beside another
// is one too many.
func TestAuthenticatorCountsAllCookies(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil, bff.WithAuthenticator(places()["cookie"].authenticator), gatewaytest.OwnPage(t, "/own", "text/plain", "page"))

	for cookie, want := range map[string]int{
		"sid=alices": http.StatusOK, `sid="alices"`: http.StatusOK, "a=\"; sid=alices;": http.StatusOK, "x=sid=alices": http.StatusOK, `SID="`: http.StatusOK,
		`sid="`: http.StatusUnauthorized, `sid=alices; sid="`: http.StatusUnauthorized, `sid = "; sid=alices`: http.StatusUnauthorized,
		`sid=a\b`: http.StatusUnauthorized, "sid=\xff": http.StatusUnauthorized,
		strings.Repeat("a=1; ", 3000) + "sid=alices": http.StatusUnauthorized,
	} {
		if res := s.Do(t, http.MethodGet, "/own", http.Header{"Cookie": {cookie}}, ""); res.Status != want {
			t.Errorf("%.50q: %d %s", cookie, res.Status, res.Body)
		}
	}
}

// Browsers send cookies with requests of other sites; net/http has what refuses those (docs/options.md).
func TestAuthenticatorWithCrossOriginProtection(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, "middleware answers what no document knows")

	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bff.WriteError(w, r, status.Error(codes.PermissionDenied, "requests of other sites are refused"))
	}))

	place := places()["cookie"]
	s := gatewaytest.Start(t, nil, bff.WithAuthenticator(place.authenticator), bff.WithMiddleware(protection.Handler))

	for site, want := range map[string]int{"cross-site": http.StatusForbidden, "same-origin": http.StatusCreated} {
		header := http.Header{"Sec-Fetch-Site": {site}, "Idempotency-Key": {"k-" + site}}
		place.carry(header, "alices")

		if res := s.Do(t, http.MethodPost, "/v1/orders", header, gatewaytest.OrderFor("alice")); res.Status != want {
			t.Errorf("%s: %d %s", site, res.Status, res.Body)
		} else if want == http.StatusForbidden {
			res.Problem(t)
		}
	}
}

func TestAuthenticatorIsDescribed(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]string{
		"cookie": `"session":{"in":"cookie","name":"sid","type":"apiKey"}`, "header": `"ticket":{"in":"header","name":"X-Ticket","type":"apiKey"}`,
		"scheme": `"password":{"scheme":"basic","type":"http"}`,
	} {
		document, err := gatewaytest.Compile(t, config.Config{}, gatewaytest.WithShelf(),
			bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}),
			bff.WithAuthenticator(places()[name].authenticator)).OpenAPI()
		if err != nil {
			t.Fatal(err)
		}

		var doc struct {
			Components struct{ SecuritySchemes map[string]any }
			Paths      map[string]map[string]struct{ Security []map[string][]string }
		}
		if err := json.Unmarshal(document, &doc); err != nil {
			t.Fatal(err)
		}

		text, err := json.Marshal(doc.Components.SecuritySchemes)
		if err != nil || string(text) != "{"+want+"}" {
			t.Errorf("%s: %s %v", name, text, err)
		}

		if security := doc.Paths["/v1/shelves/featured"]["get"].Security; len(security) != 1 || len(security[0]) != 1 {
			t.Errorf("%s: %v", name, security)
		}
	}
}
