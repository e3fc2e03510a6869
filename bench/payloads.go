package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

// payload is something to be measured.
type payload struct {
	name string
	// about says what is compared with what.
	about string
	// variants are the gateways; all of them are compared with the first, and with vanilla.
	variants func(context.Context, *fleet) ([]variant, error)
	// same reports that the answers of all variants must be the same.
	same bool
	// stream reports that messages are counted, not requests.
	stream bool
}

const (
	small     = "GET /v1/users/" + sample.UserID
	list      = small + "/orders?pageSize=100"
	post      = "POST /v1/orders"
	aggregate = small + "/dashboard?orderCount=5"
	cached    = small + "/profile"
	order     = "GET /v1/orders/ord_00000000000000000000000000"
	watch     = order + ":watch"
)

func payloads() []payload {
	return []payload{
		{name: "small", about: "GET of one user", variants: plain(small), same: true},
		{name: "list", about: "GET of 100 orders", variants: plain(list), same: true},
		{name: "post", about: "POST of 600 bytes", variants: plain(post), same: true},
		{name: "aggregate", about: "GET of a dashboard, each worker a caller of its own", variants: byCaller(aggregate), same: true},
		{name: "shared", about: "GET of a dashboard, all workers one caller", variants: plain(aggregate), same: true},
		{name: "stream", about: "messages of a stream", variants: plain(watch), same: true, stream: true},
		{name: "cache", about: "GET of a cached response; the floor's is static", variants: plain(cached), same: true},
		{name: "401", about: "no token; vanilla's is small", variants: refused(small, http.StatusUnauthorized)},
		{name: "429", about: "over its limit; vanilla's is small", variants: refused(order, http.StatusTooManyRequests)},
		{name: "routes", about: "small with further routes: 10, 200, 2,000", variants: routed, same: true},
	}
}

// plain sends the same request to all.
func plain(target string) func(context.Context, *fleet) ([]variant, error) {
	return func(_ context.Context, f *fleet) ([]variant, error) { return toAll(target, f, f.callers[:1]) }
}

// byCaller sends the same to all, but from each worker for another caller.
func byCaller(target string) func(context.Context, *fleet) ([]variant, error) {
	return func(_ context.Context, f *fleet) ([]variant, error) { return toAll(target, f, f.callers) }
}

func toAll(target string, f *fleet, callers []caller) ([]variant, error) {
	requests := make([][]byte, 0, len(callers))

	for _, c := range callers {
		request, err := requestTo(strings.Replace(target, sample.UserID, c.user, 1), c.token)
		if err != nil {
			return nil, err
		}

		requests = append(requests, request)
	}

	status := http.StatusOK
	if target == post {
		status = http.StatusCreated
	}

	return running(
		variant{name: "usual", process: f.usual, requests: requests, status: http.StatusOK},
		variant{name: "vanilla", process: f.vanilla, requests: requests, status: http.StatusOK},
		variant{name: "portico", process: f.portico, requests: requests, status: status},
		variant{name: "floor", process: f.floor, requests: requests, status: status},
		variant{name: "against", process: f.against, requests: requests, status: status},
	), nil
}

// running are those that were started.
func running(variants ...variant) []variant {
	return slices.DeleteFunc(variants, func(v variant) bool { return v.process == nil })
}

// refused compares a refusal with what vanilla, which refuses nothing, does for the small payload.
func refused(target string, status int) func(context.Context, *fleet) ([]variant, error) {
	return func(_ context.Context, f *fleet) ([]variant, error) {
		token := f.callers[0].token
		if status == http.StatusUnauthorized {
			token = ""
		}

		request, err := requestTo(target, token)
		if err != nil {
			return nil, err
		}

		done, err := requestTo(small, f.callers[0].token)

		return running(
			variant{name: "usual", process: f.usual, requests: [][]byte{request}, status: status},
			variant{name: "vanilla", process: f.vanilla, requests: [][]byte{done}, status: http.StatusOK},
			variant{name: "portico", process: f.portico, requests: [][]byte{request}, status: status},
			variant{name: "against", process: f.against, requests: [][]byte{request}, status: status},
		), err
	}
}

// routed compares gateways with many routes with one that has few.
func routed(ctx context.Context, f *fleet) ([]variant, error) {
	request, err := requestTo(small, f.callers[0].token)
	if err != nil {
		return nil, err
	}

	processes, err := f.withRoutes(ctx, 10, 2000, 200)

	variants := make([]variant, 0, len(processes))
	for _, p := range processes {
		variants = append(variants, variant{name: p.name, process: p, requests: [][]byte{request}, status: http.StatusOK})
	}

	return variants, err
}

// requestTo is what a client sends: "GET /path", with the body that belongs to it.
func requestTo(target, token string) ([]byte, error) {
	method, path, _ := strings.Cut(target, " ")

	var out bytes.Buffer

	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: shop/4.2 (linux)\r\n", method, path, host)

	if target != watch {
		out.WriteString("Accept: application/json\r\n")
	}

	if token != "" {
		fmt.Fprintf(&out, "Authorization: Bearer %s\r\n", token)
	}

	if method != http.MethodPost {
		out.WriteString("\r\n")

		return out.Bytes(), nil
	}

	body, err := protojson.Marshal(sample.CreateOrder())
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}

	fmt.Fprintf(&out, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)

	return out.Bytes(), nil
}
