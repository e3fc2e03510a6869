package gateway

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// A composite may pass on the version of a part. Of an answer without another part it is not the version: a client that has that
// answer would be told later that nothing has changed.
func TestPartialAnswerHasNoVersion(t *testing.T) {
	t.Parallel()

	r := &Route{Endpoint: policy.Endpoint{Policy: policy.Policy{Effective: &porticov1.MethodPolicy{Response: &porticov1.Response{
		Headers: []string{"cache-control", "etag", "expires", "last-modified", "x-total-count"},
	}}}}}
	md := metadata.Pairs("cache-control", "max-age=9", "etag", `"1"`, "expires", "never", "last-modified", "now", "x-total-count", "3")

	names := func(rec *reqinfo.Record) []string {
		w := httptest.NewRecorder()
		x := &exchange{Context: reqinfo.NewContext(context.Background(), rec), route: r, w: w}
		x.headers(md)

		return slices.Sorted(maps.Keys(w.Header()))
	}

	whole, partial := &reqinfo.Record{}, &reqinfo.Record{}
	partial.Miss("orders", io.EOF)

	if got := names(whole); len(got) != len(r.Policy.Effective.GetResponse().GetHeaders()) {
		t.Errorf("whole: %q", got)
	}

	if got := names(partial); !slices.Equal(got, []string{http.CanonicalHeaderKey("x-total-count")}) {
		t.Errorf("partial: %q", got)
	}
}
