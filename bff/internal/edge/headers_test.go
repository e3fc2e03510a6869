package edge_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

const (
	noContentPolicy = "default-src 'none'; frame-ancestors 'none'"
	policyField     = "Content-Security-Policy"
	referrerField   = "Referrer-Policy"
)

func typed(contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte("{}"))
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		tls  bool
		next http.HandlerFunc
		want map[string]string
	}{
		{"of_json", false, typed("application/json"), map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Strict-Transport-Security": "",
			policyField: "", referrerField: "",
		}},
		{"of_json_with_parameters", false, typed("Application/JSON; charset=utf-8"), map[string]string{policyField: "", referrerField: ""}},
		{"of_no_content", false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, map[string]string{
			"X-Content-Type-Options": "nosniff", policyField: "", referrerField: "",
		}},
		{"of_html", false, typed("text/html"), map[string]string{
			"X-Content-Type-Options": "nosniff", policyField: noContentPolicy, referrerField: "no-referrer",
		}},
		{"of_an_image_with_scripts", false, typed("image/svg+xml"), map[string]string{policyField: noContentPolicy}},
		{"of_an_unknown_type", false, ok, map[string]string{policyField: noContentPolicy, referrerField: "no-referrer"}},
		{"of_nothing_at_all", false, func(http.ResponseWriter, *http.Request) {}, map[string]string{policyField: noContentPolicy}},
		{"of_a_page_with_its_own", false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(policyField, "default-src 'self'")
			typed("text/html")(w, r)
		}, map[string]string{policyField: "default-src 'self'", referrerField: "no-referrer"}},
		{"of_a_problem", false, func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.New(codes.NotFound, ""), nil)
		}, map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": problem.ContentType, policyField: "",
		}},
		{"of_a_panic", false, func(http.ResponseWriter, *http.Request) { panic("") }, map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": problem.ContentType,
		}},
		{"over_tls", true, ok, map[string]string{"Strict-Transport-Security": "max-age=31536000"}},
		{"that_a_route_changes", false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
		}, map[string]string{"Cache-Control": "max-age=60", "X-Content-Type-Options": "nosniff"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			r := get("/")
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}

			resp := newEdge().do(r, tt.next)
			for name, want := range tt.want {
				if got := strings.Join(resp.Header().Values(name), "|"); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// A frame of another origin shows what a browser's own credentials get. It cannot add a token or an API key.
func TestJSONIsNotFramedWithCredentialsOfTheBrowser(t *testing.T) {
	t.Parallel()

	certificate := func(r *http.Request) { r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}} }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}

	tests := []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"token", header("Authorization", "bearer a.b.c"), ""},
		{"api_key", header("X-Api-Key", "a"), ""},
		{"nobody", func(*http.Request) {}, ""},
		{"cookie", header("Cookie", "session=a"), noContentPolicy},
		{"password", header("Authorization", "Basic YTpi"), noContentPolicy},
		{"certificate", certificate, noContentPolicy},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			r := get("/")
			tt.change(r)

			if got := newEdge().do(r, typed("application/json")).Header().Get(policyField); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestVaryOfWhatNoCacheStores(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, caching, vary, want string }{
		{"not_stored", "no-store", "Accept-Encoding", ""},
		{"stored", "private, max-age=60", "Accept-Encoding", "Accept-Encoding"},
		{"by_more", "no-store", "Accept-Encoding, Accept", "Accept-Encoding, Accept"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			resp := newEdge().do(get("/"), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", tt.caching)
				w.Header().Set("Vary", tt.vary)
				w.WriteHeader(http.StatusOK)
			})
			if got := resp.Header().Get("Vary"); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
