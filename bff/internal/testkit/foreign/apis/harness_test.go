package apis_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/testkit/foreign/apis/gen"
	"github.com/portico-gateway/portico/bff/internal/testkit/foreign/apis/linked"
	"github.com/portico-gateway/portico/bff/internal/testkit/linkedserver"
)

// site is a gateway that serves one API, behind a real listener and over a backend that remembers what it is asked.
type site struct {
	backend *linkedserver.Server
	url     string
	routes  []schema.Route
}

// start serves an API.
func start(t *testing.T, api linked.API) *site {
	t.Helper()

	s := &site{backend: linkedserver.Start(t)}

	var names []string

	for _, service := range api.Services() {
		routes, err := schema.Routes(service)
		if err != nil {
			t.Fatal(err)
		}

		names, s.routes = append(names, string(service.FullName())), append(s.routes, routes...)
	}

	register := func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
		for _, name := range names {
			if err := gen.Registers[name](ctx, mux, conn); err != nil {
				return err
			}
		}

		return nil
	}

	gw, err := bff.New(t.Context(), config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"api": {Addresses: []string{s.backend.Address()}}},
		// Nothing is refused because the machine is busy.
		Overload: config.Overload{TargetDelay: time.Hour},
	}, bff.WithLogger(slog.New(slog.DiscardHandler)), bff.WithHandlers("api", register, names...))
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(gw)
	s.url = server.URL

	t.Cleanup(func() {
		server.Close()

		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})

	return s
}

// answer is a response that was read to its end.
type answer struct {
	status int
	body   string
}

func (s *site) do(t *testing.T, method, target, body string) answer {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, s.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}

	return answer{status: res.StatusCode, body: string(text)}
}
