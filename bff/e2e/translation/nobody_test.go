package translation_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Once, {} was refused on a route without a body, which many HTTP clients send if they are given nothing.
func TestRouteWithoutBody(t *testing.T) {
	t.Parallel()

	for version, s := range gatewaytest.StartItems(t, nil).Versions(t) {
		t.Run(strings.ReplaceAll(version, "/", ""), func(t *testing.T) {
			t.Parallel()

			for _, target := range []string{"POST /v1/items/a:ping", "DELETE /v1/items/a", "GET /v1/items/a:ping"} {
				method, path, _ := strings.Cut(target, " ")

				for _, mediaType := range []string{"", "application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"} {
					header := http.Header{}
					if mediaType != "" {
						header.Set("Content-Type", mediaType)
					}

					for body, want := range map[string]int{
						"": 200, "{}": 200, "\n{\r\n\t}\n": 200, "null": 200, "\n": 200,
						`{"a":1}`: 400, `{"name":"items/a"}`: 400, "[]": 400, "{}{}": 400, "{": 400, "0": 400, `""`: 400, "x": 400, "a=1": 400, "nul": 400,
						"{\u00a0}": 400, "}{": 400,
					} {
						if res := s.Do(t, method, path, header, body); res.Status != want {
							t.Errorf("%s with %q of type %q: %d %s", target, body, mediaType, res.Status, res.Body)
						}

						// Of unknown length.
						if res := chunked(t, s, method, path, header, body); res != want {
							t.Errorf("%s with %q of type %q in chunks: %d", target, body, mediaType, res)
						}
					}
				}
			}
		})
	}
}

// chunked sends a body without its length and returns the status.
func chunked(t *testing.T, s *gatewaytest.Site, method, target string, header http.Header, body string) int {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}

	req.Header = header.Clone()

	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}

	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	defer res.Body.Close()

	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}

	return res.StatusCode
}
