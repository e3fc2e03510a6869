package problem_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// answered is what a gateway with settings answers, after the layer before has said something of challenges.
func answered(settings problem.Settings, p *problem.Problem, said ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()

	problem.WithSettings(settings)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, challenge := range said {
			w.Header().Add("Www-Authenticate", challenge)
		}

		problem.Write(w, r, p, nil)
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))

	return w
}

func TestChallenges(t *testing.T) {
	t.Parallel()

	const invalid = `Bearer error="invalid_token"`

	for _, row := range []struct{ settings, said, want []string }{
		{nil, nil, []string{"Bearer"}},
		{nil, []string{invalid}, []string{invalid}},
		{[]string{"Bearer"}, []string{invalid}, []string{invalid}},
		{[]string{"Bearer", "Session"}, nil, []string{"Bearer", "Session"}},
		{[]string{"Bearer", "Session"}, []string{invalid}, []string{invalid, "Session"}},
		{[]string{"Session"}, nil, []string{"Session"}},
	} {
		w := answered(problem.Settings{Challenges: row.settings}, problem.New(codes.Unauthenticated, "d"), row.said...)
		if got := w.Header().Values("Www-Authenticate"); !slices.Equal(got, row.want) {
			t.Errorf("%q with %q: %q", row.settings, row.said, got)
		}
	}

	if w := answered(problem.Settings{Challenges: []string{"Session"}}, problem.New(codes.PermissionDenied, "d")); w.Header().Get("Www-Authenticate") != "" {
		t.Errorf("a 403 has %q", w.Header())
	}
}

// An edit is about one answer: the problem itself, which may be shared, stays as it is.
func TestEditsAreOfACopy(t *testing.T) {
	t.Parallel()

	shared := problem.New(codes.NotFound, "gone")
	settings := problem.Settings{Edit: func(r *http.Request, p *problem.Problem, _ error) {
		p.Detail = "edited"
		r.URL.Path = "/other"

		if err := p.AddExtension("more", map[string]string{"a<": "\u2028"}); err != nil {
			t.Error(err)
		}

		if err := p.AddExtension("further", nil); err != nil {
			t.Error(err)
		}
	}}

	for range 2 {
		if body := answered(settings, shared).Body.String(); !strings.HasSuffix(body, `,"further":null,"more":{"a\u003c":"\u2028"}}`+"\n") ||
			!strings.Contains(body, `"detail":"edited","instance":"/x"`) {
			t.Error(body)
		}
	}

	if shared.Detail != "gone" || shared.Extensions != nil {
		t.Errorf("%+v", shared)
	}
}

func TestTypesAreURIs(t *testing.T) {
	t.Parallel()

	for uri, want := range map[string]string{
		"": "about:blank", "https://e.example/x": "https://e.example/x", "/errors#a": "/errors#a", "a b": "", "é": "", "x\n": "",
		"://": "", strings.Repeat("x", 1025): "",
	} {
		p := problem.New(codes.NotFound, "d")
		if err := p.SetType(uri); (err != nil) != (want == "") || err == nil && p.Type != want {
			t.Errorf("%.20q: %v %s", uri, err, p.Type)
		}
	}
}
