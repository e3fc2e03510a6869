package traffic_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// productProto is a service that has no routes, as those that only composites call.
const productProto = `syntax = "proto3"; package batchproduct.v1;
import "portico/v1/policy.proto";
message Product { string product_id = 1; string title = 2; }
message GetProductRequest { string product_id = 1; }
message BatchGetProductsRequest { repeated string product_ids = 1; }
message BatchGetProductsResponse { repeated Product products = 1; }
service ProductService {
  rpc GetProduct(GetProductRequest) returns (Product) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (portico.v1.policy) = {batch: {method: "BatchGetProducts"}};
  }
  rpc BatchGetProducts(BatchGetProductsRequest) returns (BatchGetProductsResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  rpc GetStoredProduct(GetProductRequest) returns (Product) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (portico.v1.policy) = {cache: {ttl: {seconds: 600} tags: "products:{product_id}"}};
  }
  rpc ChangeProduct(GetProductRequest) returns (Product) {
    option (portico.v1.policy) = {cache: {invalidates: "products:{product_id}"}};
  }
}`

// productFile is the file, linked into this program as a generated one would be. It must be called before t.Parallel: who looks
// through all descriptors waits for ever for one that is being registered.
var productFile = sync.OnceValues(func() (protoreflect.FileDescriptor, error) {
	files, err := protosource.Tree{"batchproduct.proto": []byte(productProto)}.Compile(context.Background())
	if err != nil {
		return nil, err
	}

	return files[0], protoregistry.GlobalFiles.RegisterFile(files[0])
})

// products is a real gRPC server of the service. A batch with an id that begins with "none" fails as a whole (AIP-231).
type products struct {
	file protoreflect.FileDescriptor

	// filler is in the title of each product.
	filler string

	mu sync.Mutex
	// calls are the ids of each call, by method.
	calls map[string][][]string
}

func startProducts(t *testing.T) (p *products, address string) {
	t.Helper()

	file, err := productFile()
	if err != nil {
		t.Fatal(err)
	}

	p = &products{file: file, calls: map[string][][]string{}}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer(grpc.UnknownServiceHandler(p.handle))

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return p, listener.Addr().String()
}

// message is one of the service.
func (p *products) message(name protoreflect.Name) *dynamicpb.Message {
	return dynamicpb.NewMessage(p.file.Messages().ByName(name))
}

func (p *products) handle(_ any, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	name := full[strings.LastIndexByte(full, '/')+1:]

	method := p.file.Services().Get(0).Methods().ByName(protoreflect.Name(name))
	if method == nil {
		return status.Error(codes.Unimplemented, full)
	}

	request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := stream.RecvMsg(request); err != nil {
		return err
	}

	var ids []string

	if key := method.Input().Fields().Get(0); key.IsList() {
		for i := range request.Get(key).List().Len() {
			ids = append(ids, request.Get(key).List().Get(i).String())
		}
	} else {
		ids = append(ids, request.Get(key).String())
	}

	p.mu.Lock()
	p.calls[name] = append(p.calls[name], ids)
	p.mu.Unlock()

	if i := slices.IndexFunc(ids, func(id string) bool { return strings.HasPrefix(id, "none") }); i >= 0 {
		return status.Errorf(codes.NotFound, "no product %s", ids[i])
	}

	// As a backend would whose own backend has replied too much.
	if slices.Contains(ids, "exhausted") {
		return status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5000000 vs. 4194304)")
	}

	for _, id := range ids {
		product := response
		if list := method.Output().Fields().Get(0); list.IsList() {
			product = p.message("Product")
			response.Mutable(list).List().Append(protoreflect.ValueOfMessage(product))
		}

		product.Set(product.Descriptor().Fields().ByName("product_id"), protoreflect.ValueOfString(id))
		product.Set(product.Descriptor().Fields().ByName("title"), protoreflect.ValueOfString("title of "+id+p.filler))
	}

	return stream.SendMsg(response)
}

// took returns the calls so far and forgets them.
func (p *products) took() map[string][][]string {
	p.mu.Lock()
	defer p.mu.Unlock()

	calls := p.calls
	p.calls = map[string][][]string{}

	return calls
}

// catalog is a composite that shows a list of orders, each with its product. Their ids are in the id of the user.
type catalog struct {
	dashboardv1.UnimplementedDashboardServiceServer

	products *products
	conn     grpc.ClientConnInterface
}

func (c catalog) GetDashboard(ctx context.Context, req *dashboardv1.GetDashboardRequest) (*dashboardv1.Dashboard, error) {
	page := &dashboardv1.Dashboard{User: &userv1.User{UserId: req.GetUserId()}}
	ids := strings.Split(req.GetUserId(), ".")
	page.Orders = make([]*orderv1.Order, len(ids))

	return page, composite.Run(ctx, page, composite.Required("orders", func(ctx context.Context) error {
		return composite.Each(ctx, ids, 10, func(ctx context.Context, i int, id string) error {
			title, err := c.title(ctx, id)
			if status.Code(err) == codes.NotFound {
				title, err = "sold out", nil
			}

			page.Orders[i] = &orderv1.Order{OrderId: fmt.Sprint(i), UserId: title}

			return err
		})
	}))
}

func (c catalog) title(ctx context.Context, id string) (string, error) {
	return c.products.ask(ctx, c.conn, "GetProduct", id)
}

// ask calls a method for one product, as the generated client would, and returns the title.
func (p *products) ask(ctx context.Context, conn grpc.ClientConnInterface, method, id string) (string, error) {
	request, reply := p.message("GetProductRequest"), p.message("Product")
	request.Set(request.Descriptor().Fields().Get(0), protoreflect.ValueOfString(id))

	err := conn.Invoke(ctx, "/batchproduct.v1.ProductService/"+method, request, reply)

	return reply.Get(reply.Descriptor().Fields().ByName("title")).String(), err
}

// startCatalog serves the composite.
func startCatalog(t *testing.T) (*gatewaytest.Site, *products) {
	t.Helper()

	return startOverProducts(t, func(p *products, conn grpc.ClientConnInterface) dashboardv1.DashboardServiceServer {
		return catalog{products: p, conn: conn}
	})
}

// startOverProducts serves a composite over products.
func startOverProducts(
	t *testing.T, build func(p *products, conn grpc.ClientConnInterface) dashboardv1.DashboardServiceServer,
) (*gatewaytest.Site, *products) {
	t.Helper()

	p, address := startProducts(t)
	b := gatewaytest.StartBackend(t)

	cfg := config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"product": {Addresses: []string{address}}},
	}

	for _, service := range gen.Services() {
		if !service.Composite {
			cfg.Upstreams[service.Upstream] = config.Upstream{Addresses: []string{b.Address}}
		}
	}

	patient(&cfg)

	// On a busy machine a goroutine may not get its turn for a while, in which it looks as if it did something else.
	ctx := testhook.With(t.Context(), func(h *testhook.Hooks) { h.BatchQuiet = time.Minute })

	gw, err := gatewaytest.New(ctx, t, cfg, gatewaytest.Quiet(), bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			conn, err := connect("product")

			return build(p, conn), err
		}))
	if err != nil {
		t.Fatal(err)
	}

	return &gatewaytest.Site{Backend: b, Gateway: gw, URL: gatewaytest.Listen(t, gw)}, p
}

// titles asks for the page of products and returns what it says of each.
func titles(s *gatewaytest.Site, ids []string) ([]string, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		s.URL+"/v1/users/"+strings.Join(ids, ".")+"/dashboard", http.NoBody)
	if err != nil {
		return nil, err
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()

	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("%s: %s", response.Status, body))
	}

	var page struct {
		Orders []struct {
			UserID string `json:"userId"`
		} `json:"orders"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}

	found := make([]string, 0, len(page.Orders))
	for _, order := range page.Orders {
		found = append(found, order.UserID)
	}

	return found, nil
}

// A page of 100 orders, each with its product, asks the backend once, and for each product once.
func TestPageOfManyItemsMakesOneCall(t *testing.T) {
	s, p := startCatalog(t)

	t.Parallel()

	for _, row := range []struct {
		name            string
		id              func(i int) string
		batches, single int
		// items are those of a batch.
		items int
	}{
		{"each_another", func(i int) string { return fmt.Sprintf("p%d", i) }, 1, 0, 100},
		{"some_the_same", func(i int) string { return fmt.Sprintf("p%d", i%40) }, 1, 0, 40},
		{"all_the_same", func(int) string { return "p" }, 0, 1, 0},
		{"one_missing", func(i int) string {
			if i == 70 {
				return "none"
			}

			return fmt.Sprintf("p%d", i)
		}, 1, 100, 100},
	} {
		ids, want := make([]string, 100), make([]string, 100)
		for i := range ids {
			ids[i] = row.id(i)

			if want[i] = "title of " + ids[i]; ids[i] == "none" {
				want[i] = "sold out"
			}
		}

		got, err := titles(s, ids)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v: got %q", row.name, err, got)
		}

		calls := p.took()
		batches, single := calls["BatchGetProducts"], calls["GetProduct"]

		if len(batches) != row.batches || len(single) != row.single || row.batches > 0 && len(batches[0]) != row.items {
			t.Errorf("%s: made %d batches, of %d, and %d other calls", row.name, len(batches), len(slices.Concat(batches...)), len(single))
		}
	}
}

// Products that are too large for one reply are fetched one by one, but not if it is the backend that has too little of something.
func TestBatchThatIsLargerThanTheGatewayAccepts(t *testing.T) {
	s, p := startCatalog(t)

	t.Parallel()

	const items, half = 3, 2 << 20

	p.filler = strings.Repeat("x", half)

	got, err := titles(s, []string{"a", "b", "c"})
	if err != nil || len(got) != items || len(got[0]) < half || !strings.HasPrefix(got[2], "title of c") {
		t.Errorf("got %d titles, %v", len(got), err)
	}

	if calls := p.took(); len(calls["BatchGetProducts"]) != 1 || len(calls["GetProduct"]) != items {
		t.Errorf("made %d batches and %d other calls", len(calls["BatchGetProducts"]), len(calls["GetProduct"]))
	}

	if _, err := titles(s, []string{"a", "exhausted"}); err == nil {
		t.Error("got a page")
	}

	if calls := p.took(); len(calls["BatchGetProducts"]) != 1 || len(calls["GetProduct"]) != 0 {
		t.Errorf("then made %d batches and %d other calls", len(calls["BatchGetProducts"]), len(calls["GetProduct"]))
	}
}

// What callers ask for at the same time is never in one call: it is made in the name of one of them.
func TestBatchesAreOfOneRequest(t *testing.T) {
	s, p := startCatalog(t)

	t.Parallel()

	var clients sync.WaitGroup

	const requests = 20

	for i := range requests {
		clients.Go(func() {
			ids := []string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)}
			if got, err := titles(s, ids); err != nil || !slices.Equal(got, []string{"title of " + ids[0], "title of " + ids[1]}) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}

	clients.Wait()

	calls := p.took()
	if len(calls["GetProduct"]) != 0 || len(calls["BatchGetProducts"]) != requests {
		t.Errorf("made %d batches and %d other calls", len(calls["BatchGetProducts"]), len(calls["GetProduct"]))
	}

	for _, ids := range calls["BatchGetProducts"] {
		if slices.Sort(ids); len(ids) != 2 || ids[0][1:] != ids[1][1:] {
			t.Errorf("a batch is of %q", ids)
		}
	}
}
