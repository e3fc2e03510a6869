package bff_test

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Middleware sees every request, and knows its route once it has been served.
func ExampleWithMiddleware() {
	count := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Served-By", "example")
			next.ServeHTTP(w, r)

			info, _ := bff.RequestInfoFrom(r.Context())
			fmt.Printf("route %q, rpc %q\n", info.Route, info.RPC)
		})
	}

	url, stop := serveShelves(config.Auth{Disabled: true}, bff.WithMiddleware(count))
	defer stop()

	get(url + "/v1/shelves/poetry")
	get(url + "/v1/nowhere")
	// Output:
	// route "/v1/shelves/{shelf_id}", rpc "shelf.v1.ShelfService/GetShelf"
	// route "", rpc ""
}

// Callers show a password, which the program checks.
func ExampleWithAuthenticator() {
	authenticate := func(r *http.Request) (*bff.Principal, error) {
		user, password, ok := r.BasicAuth()
		if !ok || subtle.ConstantTimeCompare([]byte(password), []byte("secret")) == 0 {
			return nil, status.Error(codes.Unauthenticated, "wrong password")
		}

		return &bff.Principal{Subject: user}, nil
	}

	url, stop := serveShelves(config.Auth{},
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}),
		bff.WithAuthenticator(bff.Authenticator{Name: "password", Scheme: "Basic", Authenticate: authenticate}))
	defer stop()

	for _, password := range []string{"secret", "guess"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/v1/shelves/poetry", nil)
		if err != nil {
			log.Print(err)

			return
		}

		req.SetBasicAuth("alice", password)

		res, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Print(err)

			return
		}

		_ = res.Body.Close()

		fmt.Printf("%d %q\n", res.StatusCode, res.Header.Get("Www-Authenticate"))
	}
	// Output:
	// 200 ""
	// 401 "Basic"
}

// An interceptor adds metadata to the calls to an upstream.
func ExampleWithDialOptions() {
	region := func(
		ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		fmt.Println("calling", rpc)

		return next(metadata.AppendToOutgoingContext(ctx, "x-region", "eu"), rpc, req, reply, cc, opts...)
	}

	url, stop := serveShelves(config.Auth{Disabled: true},
		bff.WithDialOptions("shelf", grpc.WithChainUnaryInterceptor(region)))
	defer stop()

	fmt.Println(get(url + "/v1/shelves/poetry"))
	// Output:
	// calling /shelf.v1.ShelfService/GetShelf
	// 200 {"shelfId":"poetry"}
}

// All errors get a type and a member of the program's own.
func ExampleWithProblemHook() {
	url, stop := serveShelves(config.Auth{Disabled: true}, bff.WithProblemHook(func(_ *http.Request, p *bff.Problem) {
		p.Type = "https://errors.example.com/" + p.Code().String()
		p.Extensions = map[string]any{"support": "help@example.com"}
	}))
	defer stop()

	res, err := http.Get(url + "/v1/nowhere")
	if err != nil {
		log.Print(err)

		return
	}
	defer res.Body.Close()

	var doc struct{ Type, Title, Support string }
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		log.Print(err)

		return
	}

	fmt.Println(res.StatusCode, doc)
	// Output:
	// 404 {https://errors.example.com/NotFound Not Found help@example.com}
}

// serveShelves serves the service of another team until stop is called.
func serveShelves(auth config.Auth, opts ...bff.Option) (url string, stop func()) {
	address, stopBackend := startShelves()

	gw, err := bff.New(context.Background(), config.Config{
		Auth: auth, Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{address}}},
	}, append(opts, bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"), quiet())...)
	if err != nil {
		log.Print(err)

		return "", stopBackend
	}

	server := httptest.NewServer(gw)

	return server.URL, func() {
		server.Close()

		_ = gw.Close()

		stopBackend()
	}
}
