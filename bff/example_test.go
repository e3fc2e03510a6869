package bff_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Another repository serves its own generated handlers, from protos that know nothing of Portico, with authentication off.
func ExampleNew() {
	ctx := context.Background()

	address, stop := startShelves()
	defer stop()

	gw, err := bff.New(ctx, config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{address}}},
	}, bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"))
	if err != nil {
		log.Print(err)

		return
	}
	defer gw.Close()

	server := httptest.NewServer(gw)
	defer server.Close()

	for _, path := range []string{"/v1/shelves/poetry", "/v1/shelves/featured", "/v1/nowhere"} {
		fmt.Println(get(server.URL + path))
	}
	// Output:
	// 200 {"shelfId":"poetry"}
	// 200 {"title":"Of the month"}
	// 404 application/problem+json
}

// Compile has the routes with their policies; nothing is started, and no upstream needs to be configured.
func ExampleCompile() {
	compiled, err := bff.Compile(config.Config{Auth: config.Auth{Disabled: true}},
		bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"))
	if err != nil {
		log.Print(err)

		return
	}

	for _, r := range compiled.Routes()[:3] {
		fmt.Println(r.Method, r.Path, r.RPC)
	}
	// Output:
	// POST /v1/shelves/{shelf_id}:move shelf.v1.ShelfService/MoveShelf
	// GET /v1/rooms/{room_id}/shelves/{shelf_id} shelf.v1.ShelfService/GetShelf
	// GET /v1/{parent=shelves/*}/books shelf.v1.ShelfService/ListBooks
}

// One Compiled opens any number of gateways, for instance one for each test.
func ExampleCompiled_Open() {
	ctx := context.Background()

	address, stop := startShelves()
	defer stop()

	compiled, err := bff.Compile(config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{address}}},
	}, withShelf(), quiet())
	if err != nil {
		log.Print(err)

		return
	}

	for range 2 {
		gw, err := compiled.Open(ctx)
		if err != nil {
			log.Print(err)

			return
		}

		server := httptest.NewServer(gw)
		fmt.Println(get(server.URL + "/v1/shelves/poetry"))
		server.Close()

		_ = gw.Close()
	}
	// Output:
	// 200 {"shelfId":"poetry"}
	// 200 {"shelfId":"poetry"}
}

// Reload puts another configuration in place while requests are served. One that is refused changes nothing.
func ExampleGateway_Reload() {
	ctx := context.Background()

	address, stop := startShelves()
	defer stop()

	cfg := config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{address}}},
	}

	gw, err := bff.New(ctx, cfg, withShelf(), quiet())
	if err != nil {
		log.Print(err)

		return
	}
	defer gw.Close()

	server := httptest.NewServer(gw)
	defer server.Close()

	cfg.JSON.Names = config.NamesProto
	fmt.Println(gw.Reload(ctx, cfg), gw.ReloadState().Changed, get(server.URL+"/v1/shelves/poetry"))

	cfg.JSON.Names, cfg.Server.Address = config.NamesCamel, ":80"
	fmt.Println(gw.Reload(ctx, cfg))
	fmt.Println(get(server.URL + "/v1/shelves/poetry"))
	// Output:
	// <nil> [json.names] 200 {"shelf_id":"poetry"}
	// server.address: cannot change while the gateway runs: restart it
	// 200 {"shelf_id":"poetry"}
}

// The description is the document that a gateway serves at /openapi.json.
func ExampleCompiled_OpenAPI() {
	compiled, err := bff.Compile(config.Config{
		Auth: config.Auth{Disabled: true}, Docs: config.Docs{Title: "Shelves", Version: "2"},
	}, withShelf())
	if err != nil {
		log.Print(err)

		return
	}

	text, err := compiled.OpenAPI()
	if err != nil {
		log.Print(err)

		return
	}

	var document struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]any
	}
	if err := json.Unmarshal(text, &document); err != nil {
		log.Print(err)

		return
	}

	fmt.Println(document.OpenAPI, document.Info.Title, document.Info.Version, document.Paths["/v1/shelves/{shelf_id}"] != nil)
	// Output: 3.1.0 Shelves 2 true
}

// A test can check who may call what, without a token and without a backend.
func ExampleCompiled_Explain() {
	ctx := context.Background()

	compiled, err := bff.Compile(config.Config{}, withShelf(),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}))
	if err != nil {
		log.Print(err)

		return
	}

	for _, caller := range []bff.Principal{{}, {Subject: "alice"}} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v1/shelves/poetry", http.NoBody)
		if err != nil {
			log.Print(err)

			return
		}

		found, err := compiled.Explain(ctx, r, caller)
		if err != nil {
			log.Print(err)

			return
		}

		fmt.Printf("%q: %s %v, allowed: %t\n", caller.Subject, found.Route.RPC, found.Variables, found.Allowed())
	}
	// Output:
	// "": shelf.v1.ShelfService/GetShelf map[shelf_id:poetry], allowed: false
	// "alice": shelf.v1.ShelfService/GetShelf map[shelf_id:poetry], allowed: true
}

// shelves is a backend of another team.
type shelves struct {
	shelfv1.UnimplementedShelfServiceServer
}

func (shelves) GetShelf(_ context.Context, req *shelfv1.GetShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId()}, nil
}

func (shelves) GetFeaturedShelf(context.Context, *shelfv1.GetFeaturedShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{Title: "Of the month"}, nil
}

func startShelves() (address string, stop func()) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Print(err)

		return "", func() {}
	}

	server := grpc.NewServer()
	shelfv1.RegisterShelfServiceServer(server, shelves{})

	go func() { _ = server.Serve(listener) }()

	return listener.Addr().String(), server.Stop
}

// get returns the status and the body, or of a problem, which names the request, its type.
func get(url string) string {
	res, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}

	if res.StatusCode != http.StatusOK {
		return fmt.Sprint(res.StatusCode, " ", res.Header.Get("Content-Type"))
	}

	return fmt.Sprint(res.StatusCode, " ", string(body))
}
