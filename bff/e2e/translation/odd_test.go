package translation_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	oddedition2023 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/edition2023"
	oddedition2024 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/edition2024"
	oddproto2 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/proto2"
	oddproto3 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/proto3"
)

// syntaxes are those that an odd proto is written in, whose names, labels and types are legal and made trouble in generated code.
func syntaxes() []string { return []string{"proto2", "proto3", "edition2023", "edition2024"} }

// What is sent arrives, whatever fields are called and however they are declared: the backend answers with what it gets.
func TestOddProtos(t *testing.T) {
	t.Parallel()

	s := startOdd(t)

	for _, syntax := range syntaxes() {
		t.Run(syntax, func(t *testing.T) {
			t.Parallel()

			for name, row := range oddExchanges() {
				res := s.Do(t, row.method, "/odd/"+syntax+row.path, nil, row.body)
				if res.Status != http.StatusOK {
					t.Errorf("%s: %d %s", name, res.Status, res.Body)

					continue
				}

				sameJSON(t, name, res.Body, row.want)
			}
		})
	}
}

type oddExchange struct{ method, path, body, want string }

func oddExchanges() map[string]oddExchange {
	const post = http.MethodPost

	return map[string]oddExchange{
		"path": {
			http.MethodGet, "/a%20b/r/d/p/-7/9007199254740993/true/AQI=/snake_red/2026-11-27T15:00:00Z/i/o/m", "",
			`{"string":"a b","reset":"r","descriptor":"d","protoMessage":"p","getNumber":-7,"number":"9007199254740993","flag":true,
			  "raw":"AQI=","color":"snake_red","when":"2026-11-27T15:00:00Z","in":{"text":"i"},"oneText":"o","must":"m"}`,
		},
		"lists_in_path": {
			http.MethodGet, "/lists/a,b/snake_red,snake_none/1,-2/snake_red/g?must=m", "",
			`{"strings":["a","b"],"colors":["snake_red","snake_none"],"numbers":["1","-2"],"oneColor":"snake_red","group":{"text":"g"},
			  "must":"m"}`,
		},
		"query": {
			http.MethodGet, "?string=s&reset=r&descriptor=d&protoMessage=p&get_number=1&flag=true&raw=AQ&color=1&in.text=i" +
				"&group.text=g&strings=a&strings=b&numbers=3&byColor[4]=snake_red&oneInner.text=o&must=m", "",
			`{"string":"s","reset":"r","descriptor":"d","protoMessage":"p","getNumber":1,"flag":true,"raw":"AQ==","color":"snake_red",
			  "in":{"text":"i"},"group":{"text":"g"},"strings":["a","b"],"numbers":["3"],"byColor":{"4":"snake_red"},
			  "oneInner":{"text":"o"},"must":"m"}`,
		},
		"body_string":    {post, ":string?must=m", `"s"`, `"s"`},
		"body_one_inner": {post, ":one_inner?must=m", `{"text":"o"}`, `{"text":"o"}`},
		"body_one_color": {post, ":one_color?must=m", `"snake_red"`, `"snake_red"`},
		"body_group":     {post, ":group?must=m", `{"text":"g"}`, `{"text":"g"}`},
		"body_colors":    {post, ":colors?must=m", `["snake_red",0]`, `["snake_red","snake_none"]`},
		"body_by_color":  {post, ":by_color?must=m", `{"-3":"snake_red","4":"snake_none"}`, `{"-3":"snake_red","4":"snake_none"}`},
		"nested":         {http.MethodGet, "/inner/i", "", `"i"`},
		"from_server":    {http.MethodGet, "/import/s?must=m", "", `"s"`},
		"from_client":    {post, "/type/snake_red", `[{"number":"1","must":"m"},{"string":"last","must":"m"}]`, `{"string":"last","color":"snake_red","must":"m"}`},
		"both_ways":      {http.MethodPatch, "/send/o?must=m", `{"text":"i"}`, `{"text":"i"}`},
	}
}

// A value in the path that is not one of its type is said to be so, whether or not generated code reads it.
func TestOddProtosRefuse(t *testing.T) {
	t.Parallel()

	s := startOdd(t)

	for _, syntax := range syntaxes() {
		for path, want := range map[string]string{
			"/type/blue":         `"in":"path","field":"color"`,
			"/lists/a/x/1/0/g":   `"in":"path","field":"colors"`,
			"/lists/a/0/1.5/0/g": `"in":"path","field":"numbers"`,
			"/a/r/d/p/x/1/true/AQ/0/2026-11-27T15:00:00Z/i/o/m": `"in":"path","field":"get_number"`,
			"/a/r/d/p/1/1/yes/AQ/0/2026-11-27T15:00:00Z/i/o/m":  `"in":"path","field":"flag"`,
			"/a/r/d/p/1/1/true/AQ/0/today/i/o/m":                `"in":"path","field":"when"`,
		} {
			method := http.MethodGet
			if strings.HasPrefix(path, "/type") {
				method = http.MethodPost
			}

			res := s.Do(t, method, "/odd/"+syntax+path, nil, "")
			if res.Status != http.StatusBadRequest || !strings.Contains(res.Body, want) {
				t.Errorf("%s%s: %d %s", syntax, path, res.Status, res.Body)
			}
		}
	}
}

// What generated code was not shown, a marshaler of the program writes, and is not asked to read.
func TestOddProtosWithAnotherMarshaler(t *testing.T) {
	t.Parallel()

	s := startOdd(t, bff.WithMuxOptions(runtime.WithMarshalerOption("application/x-own", &runtime.JSONPb{})))
	own := http.Header{"Content-Type": {"application/x-own"}, "Accept": {"application/x-own"}}

	for request, row := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"GET /odd/edition2023/lists/a/1/2/1/g?must=m": {"", http.StatusOK, `"oneColor":"snake_red"`},
		"POST /odd/proto3:one_inner":                  {`{"text":"o"}`, http.StatusUnsupportedMediaType, `the Content-Type is \"application/x-own\"; send application/`},
		"POST /odd/edition2024:colors?must=m":         {`["snake_red"]`, http.StatusUnsupportedMediaType, `the Content-Type is \"application/x-own\"; send application/`},
	} {
		method, target, _ := strings.Cut(request, " ")

		res := s.Do(t, method, target, own, row.body)
		if res.Status != row.status || !strings.Contains(res.Body, row.want) {
			t.Errorf("%s: %d %s", request, res.Status, res.Body)
		}
	}
}

// startOdd starts a gateway for the odd services.
func startOdd(t *testing.T, opts ...bff.Option) *gatewaytest.Site {
	t.Helper()

	return startReflecting(t, "odd", append(opts, bff.WithHandlers("odd", registerOdd,
		"odd.proto2.odd_service", "odd.proto3.odd_service", "odd.edition2023.odd_service", "odd.edition2024.odd_service"))...)
}

// startReflecting starts a gateway over an upstream that answers with what it gets.
func startReflecting(t *testing.T, upstream string, opts ...bff.Option) *gatewaytest.Site {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer(grpc.UnknownServiceHandler(reflectMessages))

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	s := gatewaytest.Serve(t, gatewaytest.Compile(t, config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{upstream: {Addresses: []string{listener.Addr().String()}}},
	}, append(opts, gatewaytest.Quiet())...))
	s.StopBackend = server.Stop

	return s
}

func registerOdd(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	return errors.Join(
		oddproto2.RegisterOddServiceHandler(ctx, mux, conn), oddproto3.RegisterOddServiceHandler(ctx, mux, conn),
		oddedition2023.RegisterOddServiceHandler(ctx, mux, conn), oddedition2024.RegisterOddServiceHandler(ctx, mux, conn))
}

// reflectMessages answers each message of any RPC with itself; one that has a single answer for many with the last.
func reflectMessages(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	if strings.HasPrefix(method, "/grpc.health") {
		return status.Error(codes.Unimplemented, "there is none")
	}

	last := &emptypb.Empty{}

	for {
		message := &emptypb.Empty{} // All its fields are unknown.

		err := stream.RecvMsg(message)

		switch {
		case errors.Is(err, io.EOF) && strings.HasSuffix(method, "/Type"):
			return stream.SendMsg(last)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return status.Error(codes.Canceled, err.Error())
		}

		last = message

		if !strings.HasSuffix(method, "/Type") {
			if err := stream.SendMsg(message); err != nil {
				return err
			}
		}
	}
}
