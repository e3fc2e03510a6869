package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// Whatever stands in the field, the caller is the one that the issuer signed for, or the request ends.
func FuzzIdentify(f *testing.F) {
	s := authtest.NewSigner(f, "EdDSA", authtest.KeyID)
	gate := mustNew(f, trusting(f, s))
	good := s.Token(f, nil, nil)

	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer " + good, "bearer " + good + " ", "Basic x", "Bearer a.b.c", "Bearer ...",
		// The base64 decoder passes over line ends.
		"Bearer " + good[:len(good)-9] + "\r\n" + good[len(good)-9:],
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, field string) {
		called := false
		rec := &reqinfo.Record{}
		r := httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{field}
		w := httptest.NewRecorder()

		gate.Identify(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })).ServeHTTP(w, r)

		if called && (rec.Principal.Subject != "ada" || !strings.Contains(field, good)) {
			t.Errorf("%q is %+v", field, rec.Principal)
		}

		if !called && w.Code != http.StatusUnauthorized {
			t.Errorf("%q: status %d", field, w.Code)
		}
	})
}
