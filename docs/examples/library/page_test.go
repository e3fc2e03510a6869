package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// Once, only composites in Portico's own repository could tell that a part is missing, and the partial answers of others were cached
// as complete ones.
func TestPartialPageIsNotCached(t *testing.T) {
	shop := &teas{}
	shop.down.Store(true)

	gateway := serve(t, shop)

	type page struct{ missing, cached bool }

	read := func() page {
		t.Helper()

		res, body := do(t, "GET", gateway+"/v1/teas/sencha/page", nil, "")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, `"title":"Sencha"`) {
			t.Fatalf("%d %s", res.StatusCode, body)
		}

		cacheable := strings.Contains(res.Header.Get("Cache-Control"), "max-age")

		missing := strings.Contains(body, `"partialErrors":[{"part":"ratings","code":"FAILED_PRECONDITION"`)
		if missing == strings.Contains(body, `"stars":5`) || missing == cacheable || missing == (res.Header.Get("ETag") != "") {
			t.Errorf("%v %s", res.Header, body)
		}

		return page{missing: missing, cached: strings.Contains(res.Header.Get("Cache-Status"), "; hit")}
	}

	if got := read(); got != (page{missing: true}) {
		t.Errorf("the first page: %+v", got)
	}

	if got := read(); got != (page{missing: true}) {
		t.Errorf("the second page: %+v", got)
	}

	shop.down.Store(false)

	if got := read(); got != (page{}) {
		t.Errorf("the first whole page: %+v", got)
	}

	if got := read(); got != (page{cached: true}) {
		t.Errorf("the second whole page: %+v", got)
	}

	if got := shop.lists.Load(); got != 3 {
		t.Errorf("ratings were read %d times", got)
	}
}

// Once, headers that set fields of the message were not compared.
func TestIdempotencyKeyOfAnotherLanguage(t *testing.T) {
	gateway := serve(t, &teas{})

	for _, try := range []struct {
		language string
		status   int
		replayed string
	}{{"de", 201, ""}, {"de", 201, "true"}, {"fr", 422, ""}, {"", 422, ""}} {
		header := http.Header{"Idempotency-Key": {"k"}}
		if try.language != "" {
			header.Set("Content-Language", try.language)
		}

		res, body := do(t, "POST", gateway+"/v1/teas/sencha/ratings", header, `{"stars": 5}`)
		if res.StatusCode != try.status || res.Header.Get("Idempotency-Replayed") != try.replayed {
			t.Errorf("%q: %d %v %s", try.language, res.StatusCode, res.Header, body)
		}
	}
}

// serve is the gateway within the test, without authentication.
func serve(t *testing.T, shop *teas) (url string) {
	t.Helper()

	gw, err := bff.New(t.Context(), config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shop": {Addresses: []string{backend(t, shop)}}},
	}, options()...)
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(gw)

	t.Cleanup(func() {
		server.Close()

		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})

	return server.URL
}

// A page has the teas that its tea is like, which are read in one call, or says that they are missing.
func TestRelatedTeas(t *testing.T) {
	const anyNumber = -1

	const none = `,"partialErrors":[{"part":"related","code":"NOT_FOUND","message":"no such tea"}]}`

	for _, test := range []struct {
		name          string
		related       []string
		want          string
		gets, batches int32
	}{
		{"none", nil, `,"ratings":[{"userId":"alice","stars":5}]}`, 1, 0},
		{"one", []string{"bancha"}, `,"related":[{"teaId":"bancha","title":"Bancha"}]}`, 2, 0},
		{"many", []string{"bancha", "gyokuro", "bancha"}, `,{"teaId":"gyokuro","title":"Gyokuro"},{"teaId":"bancha","title":"Bancha"}]}`, 1, 1},
		// When the batch has failed, teas are read one by one, until one is missing.
		{"one_that_is_not_there", []string{"sold_out", "bancha"}, none, anyNumber, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			shop := &teas{related: test.related}

			res, body := do(t, "GET", serve(t, shop)+"/v1/teas/sencha/page", nil, "")
			if res.StatusCode != http.StatusOK || !strings.HasSuffix(body, test.want) {
				t.Errorf("%d %s, want %s", res.StatusCode, body, test.want)
			}

			gets, batches := shop.gets.Load(), shop.batches.Load()
			if gets != test.gets && test.gets != anyNumber || batches != test.batches {
				t.Errorf("%d single calls and %d batches, want %d and %d", gets, batches, test.gets, test.batches)
			}
		})
	}
}
