package gatewaytest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/gen"
)

// Response is a response that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Problem is the body as a problem document.
func (a Response) Problem(t *testing.T) map[string]any {
	t.Helper()

	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type is %q, not that of a problem; body %s", got, a.Body)
	}

	var doc map[string]any
	if err := json.Unmarshal([]byte(a.Body), &doc); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}

	for _, field := range []string{"type", "title", "status", "code", "request_id", "instance"} {
		if doc[field] == nil || doc[field] == "" {
			t.Errorf("problem without %s: %s", field, a.Body)
		}
	}

	if got := doc["status"]; got != float64(a.Status) {
		t.Errorf("problem says status %v, the answer %d", got, a.Status)
	}

	return doc
}

// Do sends a request whose target is the path as it stands, whatever it contains.
func (s *Site) Do(t *testing.T, method, target string, header http.Header, body string) Response {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	path, query, _ := strings.Cut(target, "?")
	// Opaque goes into the request line as it is.
	req.URL.Opaque = "//" + req.URL.Host + path
	req.URL.RawQuery = query

	if header != nil {
		req.Header = header.Clone()
	}

	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}

	client := s.Client
	if client == nil {
		client = &http.Client{}
	}

	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}

	return Response{Status: res.StatusCode, Header: res.Header, Body: string(text)}
}

// AnOrder is a body that the rules of CreateOrderRequest allow.
const AnOrder = `{"items":[{"sku":"s","title":"t","quantity":1,"unitPrice":{"currencyCode":"EUR","units":"1"}}]}`

// OrderFor is one for a user.
func OrderFor(userID string) string { return `{"userId":"` + userID + `",` + AnOrder[1:] }

// ReadLines returns the lines of a file.
func ReadLines(t *testing.T, file string) []string {
	t.Helper()

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// RPCs returns the sorted methods of calls.
func RPCs(calls []Call) []string {
	names := make([]string, 0, len(calls))
	for _, c := range calls {
		names = append(names, c.RPC)
	}

	slices.Sort(names)

	return names
}

// Eventually waits until the condition holds.
func Eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not happen in time", what)
		}
	}
}

// WithShelf serves shelf.v1.ShelfService.
func WithShelf() bff.Option {
	return bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService")
}

// Quiet is an option for gateways whose log is not looked at.
func Quiet() bff.Option { return bff.WithLogger(slog.New(slog.DiscardHandler)) }

// Compile is Compile of what is sound.
func Compile(t *testing.T, cfg config.Config, opts ...bff.Option) *bff.Compiled {
	t.Helper()

	compiled, err := bff.Compile(onBusyMachine(cfg), opts...)
	if err != nil {
		t.Fatal(err)
	}

	return compiled
}

// onBusyMachine returns the configuration of a gateway that refuses nothing because the machine is busy, unless it says when to.
func onBusyMachine(cfg config.Config) config.Config {
	cfg.Overload.TargetDelay = cmp.Or(cfg.Overload.TargetDelay, time.Hour)
	return cfg
}

// AdminGet asks the admin handler.
func AdminGet(t *testing.T, gw *bff.Gateway, path string) Response {
	t.Helper()

	rec := httptest.NewRecorder()
	gw.Admin().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))

	return Response{Status: rec.Code, Header: rec.Header(), Body: rec.Body.String()}
}

// Service is one of the product's.
func Service(t *testing.T, name string) bff.Service {
	t.Helper()

	services := gen.Services()

	i := slices.IndexFunc(services, func(s bff.Service) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no service %s", name)
	}

	return services[i]
}

// Accept is the header of a client that wants a media type.
func Accept(mediaType string) http.Header { return http.Header{"Accept": {mediaType}} }

// NextLine reads a line.
func NextLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()

	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("%q, %v", line, err)
	}

	return strings.TrimSuffix(line, "\n")
}
