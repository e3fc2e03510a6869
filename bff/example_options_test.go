package bff_test

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
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

// The handlers of two services are registered by one function, which names both.
func ExampleWithHandlers() {
	register := func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
		return errors.Join(shelfv1.RegisterShelfServiceHandler(ctx, mux, conn), everyv1.RegisterEveryServiceHandler(ctx, mux, conn))
	}

	compiled, err := bff.Compile(config.Config{Auth: config.Auth{Disabled: true}},
		bff.WithHandlers("library", register, "shelf.v1.ShelfService", "every.v1.EveryService"))
	if err != nil {
		log.Print(err)

		return
	}

	services := map[string]string{}

	for _, r := range compiled.Routes() {
		service, _, _ := strings.Cut(r.RPC, "/")
		services[service] = r.Upstream
	}

	fmt.Println(services)
	// Output: map[every.v1.EveryService:library shelf.v1.ShelfService:library]
}

// A page is served beside the routes. It may call them, and has the log and the limits of all requests.
func ExampleWithPage() {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, _ := bff.RequestInfoFrom(r.Context())
		fmt.Fprintf(w, "<!doctype html><title>%s</title>", info.Route)
	})

	url, stop := serveShelves(config.Auth{Disabled: true}, bff.WithPage("/about", page))
	defer stop()

	fmt.Println(get(url + "/about"))
	fmt.Println(get(url + "/v1/shelves/poetry"))
	// Output:
	// 200 <!doctype html><title>/about</title>
	// 200 {"shelfId":"poetry"}
}

// greetings is a composite: it is implemented in the gateway, over the connections to upstreams.
type greetings struct {
	dashboardv1.UnimplementedDashboardServiceServer

	users userv1.UserServiceClient
}

func newGreetings(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
	conn, err := connect("user")
	if err != nil {
		return nil, err
	}

	return greetings{users: userv1.NewUserServiceClient(conn)}, nil
}

func (g greetings) GetDashboard(ctx context.Context, req *dashboardv1.GetDashboardRequest) (*dashboardv1.Dashboard, error) {
	user, err := g.users.GetUser(ctx, &userv1.GetUserRequest{UserId: req.GetUserId()})

	return &dashboardv1.Dashboard{User: user}, err
}

// What a composite calls is found without a backend.
func ExampleWithComposite() {
	compiled, err := bff.Compile(config.Config{Auth: config.Auth{Disabled: true}}, bff.WithServices(gen.Services()...),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, newGreetings))
	if err != nil {
		log.Print(err)

		return
	}

	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/users/alice/dashboard", http.NoBody)
	if err != nil {
		log.Print(err)

		return
	}

	found, err := compiled.Explain(r.Context(), r, bff.Principal{Subject: "alice"})
	if err != nil {
		log.Print(err)

		return
	}

	for _, leg := range found.Legs {
		fmt.Println(found.Route.RPC, "calls", leg.RPC)
	}
	// Output: dashboard.v1.DashboardService/GetDashboard calls user.v1.UserService/GetUser
}

// Operators have to show a password; the health of the gateway is for all.
func ExampleWithAdminMiddleware() {
	protect := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			if r.URL.Path != "/readyz" && subtle.ConstantTimeCompare([]byte(password), []byte("secret")) == 0 {
				w.WriteHeader(http.StatusUnauthorized)

				return
			}

			next.ServeHTTP(w, r)
		})
	}

	gw, err := bff.New(context.Background(), config.Config{Auth: config.Auth{Disabled: true}},
		bff.WithAdminMiddleware(protect), quiet())
	if err != nil {
		log.Print(err)

		return
	}
	defer gw.Close()

	for _, path := range []string{"/readyz", "/metrics"} {
		w := httptest.NewRecorder()
		gw.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// /readyz 200
	// /metrics 401
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
