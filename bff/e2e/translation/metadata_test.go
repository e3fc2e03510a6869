package translation_test

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func logged(to *gatewaytest.LogBuffer) bff.Option {
	return bff.WithLogger(slog.New(slog.NewJSONHandler(to, nil)))
}

// startForeign is a backend that does not look at its metadata, as grpc-go does: it answers each call with an empty message and the
// header.
func startForeign(t *testing.T, header http.Header) string {
	t.Helper()

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")

		if strings.HasPrefix(r.URL.Path, "/grpc.health") {
			w.Header().Set("Grpc-Status", "12")

			return
		}

		_, _ = io.Copy(io.Discard, r.Body)

		maps.Copy(w.Header(), header)

		_, _ = w.Write(make([]byte, 5)) // No compression, no bytes.

		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)

	return server.Listener.Addr().String()
}

// Bytes once reached clients as they are: curl stopped at "Nul byte in header", and over HTTP/2 the header was silently gone. So did
// texts that no header may have.
func TestHazard28BinaryMetadata(t *testing.T) {
	t.Parallel()

	backend := startForeign(t, http.Header{
		"X-Data-Bin": {"AAH/", "", "YQ0KU2V0LUNvb2tpZTogYg=="}, "X-Note": {"sound", "with \u00fcmlaut", "a\tb"}, "X-Bad": {"\xff"},
		"Location": {"/\u00fc"}, "Etag": {"\"\u00fc\""}, "X-Unlisted-Bin": {"AA"}, "X-Unlisted": {"\u00fc"},
	})
	want := http.Header{"X-Data-Bin": {"AAH/", "", "YQ0KU2V0LUNvb2tpZTogYg"}, "X-Note": {"sound", "a\tb"}}

	listed := []string{"X-Data-Bin", "x-note", "x-bad", "location", "etag"}
	policy := &porticov1.MethodPolicy{Response: &porticov1.Response{Headers: listed}}

	for name, where := range map[string]struct {
		policy *porticov1.MethodPolicy
		listed []string
	}{
		"policy": {policy, nil}, "configuration": {nil, listed}, "both": {policy, listed},
	} {
		logs := &gatewaytest.LogBuffer{}
		site := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, func(c *config.Config) {
			c.Headers.Response = where.listed
			c.Upstreams["every"] = config.Upstream{Addresses: []string{backend}}
		}, where.policy, logged(logs))

		for version, s := range site.Versions(t) {
			for rpc, res := range map[string]gatewaytest.Response{
				"unary":  s.Do(t, http.MethodPost, "/v1/check", nil, `{"note":"v1"}`),
				"stream": s.Do(t, http.MethodGet, "/v1/count?int32Field=2", nil, ""),
			} {
				if res.Status != http.StatusOK {
					t.Fatalf("%s of %s over %s: %d %s", rpc, name, version, res.Status, res.Body)
				}

				got := http.Header{}
				for _, header := range []string{"X-Data-Bin", "X-Note", "X-Bad", "Location", "Etag", "X-Unlisted-Bin", "X-Unlisted", "Set-Cookie"} {
					if values := res.Header.Values(header); len(values) > 0 {
						got[header] = values
					}
				}

				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s of %s over %s: %s", rpc, name, version, diff)
				}
			}
		}

		dropped := []string{"etag", "location", "x-bad", "x-note"}

		// A line may be written after the response.
		gatewaytest.Eventually(t, fmt.Sprintf("the log of %s saying that %q were dropped", name, dropped), func() bool {
			return slices.Equal(droppedHeaders(logs.String()), dropped)
		})
	}
}

// droppedHeaders are those that every request of the log says to have been dropped.
func droppedHeaders(logs string) []string {
	var all []string

	for line := range strings.Lines(logs) {
		if !strings.Contains(line, `"msg":"request"`) {
			continue
		}

		_, dropped, _ := strings.Cut(line, `"dropped_headers":"`)
		dropped, _, _ = strings.Cut(dropped, `"`)

		names := strings.Split(dropped, ",")
		slices.Sort(names)

		if all != nil && !slices.Equal(all, names) {
			return nil
		}

		all = names
	}

	return all
}

// The type and the length of a file are what the backend says, unless no header can say it.
func TestFilesWithImpossibleHeaders(t *testing.T) {
	t.Parallel()

	policy := &porticov1.MethodPolicy{Response: &porticov1.Response{Headers: []string{"content-length"}}}

	for name, row := range map[string]struct{ contentType, length, wantType string }{
		"sound":        {"text/plain; charset=utf-8", "3", "text/plain; charset=utf-8"},
		"nul":          {"text/\x00plain", "3", "application/octet-stream"},
		"line_break":   {"text/plain\r\nSet-Cookie: a=b", "3", "application/octet-stream"},
		"not_ascii":    {"text/pl\u00e4in", "3", "application/octet-stream"},
		"no_length":    {"text/plain", "three", "text/plain"},
		"plus_length":  {"text/plain", "+3", "text/plain"},
		"empty_length": {"text/plain", "", "text/plain"},
	} {
		logs := &gatewaytest.LogBuffer{}
		m := gatewaytest.Mirror{ContentType: row.contentType, Header: metadata.Pairs("x-content-length", row.length)}

		for version, s := range gatewaytest.StartMirrorOf(t, m, nil, policy, logged(logs)).Versions(t) {
			for _, res := range []gatewaytest.Response{
				s.Do(t, http.MethodGet, "/v1/files/3", nil, ""),
				s.Do(t, http.MethodPost, "/v1/files/a", http.Header{"Content-Type": {"text/plain"}}, "abc"),
			} {
				if got := res.Header.Get("Content-Type"); res.Status != http.StatusOK || got != row.wantType || len(res.Body) != 3 {
					t.Errorf("%s over %s: %d, %q, %q", name, version, res.Status, got, res.Body)
				}

				if length := res.Header.Get("Content-Length"); length != "" && length != "3" || res.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s over %s: %v", name, version, res.Header)
				}
			}
		}

		if got := strings.Contains(logs.String(), "dropped_headers"); got != (name != "sound") {
			t.Errorf("%s: the log says %s", name, logs)
		}
	}
}

// What a client sends under a name that ends in -bin are bytes in base64 (gRPC over HTTP2, "Binary-Header").
func TestHazard28BinaryRequestHeaders(t *testing.T) {
	t.Parallel()

	m := gatewaytest.Mirror{Incoming: make(chan metadata.MD, 1)}

	for version, s := range gatewaytest.StartMirrorOf(t, m, func(c *config.Config) { c.Headers.Request = []string{"X-Data-Bin"} }, nil).Versions(t) {
		for name, row := range map[string]struct {
			sent []string
			want []string // Nil: it is refused.
		}{
			"unpadded":         {[]string{"AAH/"}, []string{"\x00\x01\xff"}},
			"padded":           {[]string{"YQ=="}, []string{"a"}},
			"padding_left_out": {[]string{"YQ"}, []string{"a"}},
			"empty":            {[]string{""}, []string{""}},
			"several_lines":    {[]string{"YQ==", "Yg"}, []string{"a", "b"}},
			"several_in_one":   {[]string{"YQ==, Yg,Yw"}, []string{"a", "b", "c"}},
			"not_base64":       {[]string{"a b"}, nil},
			"other_alphabet":   {[]string{"AAH_"}, nil},
			"too_short":        {[]string{"Y"}, nil},
			"too_much_padding": {[]string{"YQ==="}, nil},
			"padding_inside":   {[]string{"YQ==YQ=="}, nil},
			"one_of_two":       {[]string{"YQ", "\u00fc"}, nil},
		} {
			res := s.Do(t, http.MethodPost, "/v1/check", http.Header{"X-Data-Bin": row.sent}, `{"note":"v1"}`)

			if row.want == nil {
				if detail, _ := res.Problem(t)["detail"].(string); res.Status != http.StatusBadRequest || !strings.Contains(detail, "X-Data-Bin") {
					t.Errorf("%s over %s: %d %s", name, version, res.Status, res.Body)
				}

				continue
			}

			if res.Status != http.StatusOK {
				t.Errorf("%s over %s: %d %s", name, version, res.Status, res.Body)

				continue
			}

			if diff := cmp.Diff(row.want, (<-m.Incoming).Get("x-data-bin")); diff != "" {
				t.Errorf("%s over %s: %s", name, version, diff)
			}
		}
	}
}
