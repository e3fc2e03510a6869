package command_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// testItems goes through the standard methods of the service that docs/services.md makes with the command.
func testItems(t *testing.T, p *process) {
	t.Helper()

	items := p.url + "/v1/items"
	alice, editor := p.token(t, "alice"), p.token(t, "editor", "catalog:write")

	want(t, "no token", call(t, http.MethodPost, items, "", `{"title": "Tea"}`), http.StatusUnauthorized)
	want(t, "no scope", call(t, http.MethodPost, items, alice, `{"title": "Tea"}`), http.StatusForbidden)
	want(t, "against the rules", call(t, http.MethodPost, items, editor, `{"title": ""}`), http.StatusBadRequest)
	want(t, "unknown field", call(t, http.MethodPost, items, editor, `{"name": "Tea"}`), http.StatusBadRequest)
	want(t, "wrong method", call(t, http.MethodPut, items, editor, `{}`), http.StatusMethodNotAllowed)

	made := want(t, "create", call(t, http.MethodPost, items, editor, `{"title": "Tea", "labels": {"a": "b"}}`), http.StatusCreated)
	item := p.url + made.header.Get("Location")

	if id, _ := made.json(t)["itemId"].(string); item != items+"/"+id {
		t.Errorf("Location %q of %s", made.header.Get("Location"), made.body)
	}

	read := want(t, "get", call(t, http.MethodGet, item, alice, ""), http.StatusOK)
	if read.json(t)["title"] != "Tea" {
		t.Errorf("read %s", read.body)
	}

	// Two examples and the README's item come before it.
	first := want(t, "list", call(t, http.MethodGet, items+"?page_size=2", alice, ""), http.StatusOK).json(t)
	next, _ := first["nextPageToken"].(string)

	rest := want(t, "next page", call(t, http.MethodGet, items+"?page_size=2&page_token="+next, alice, ""), http.StatusOK)
	if first["totalSize"] != "4" || next == "" || !strings.Contains(rest.body, `"Tea"`) {
		t.Errorf("listed %v, then %s", first, rest.body)
	}

	want(t, "too large a page", call(t, http.MethodGet, items+"?page_size=101", alice, ""), http.StatusOK)
	want(t, "too small a page", call(t, http.MethodGet, items+"?page_size=-1", alice, ""), http.StatusBadRequest)
	want(t, "update without the scope", call(t, http.MethodPatch, item, alice, `{"title": "Mine"}`), http.StatusForbidden)
	want(t, "update against the rules", call(t, http.MethodPatch, item, editor, `{"title": ""}`), http.StatusBadRequest)
	want(t, "update", call(t, http.MethodPatch, item, editor, `{"title": "Green tea"}`), http.StatusOK)

	// The response that was cached before is invalidated.
	read = want(t, "get again", call(t, http.MethodGet, item, alice, ""), http.StatusOK)
	if doc := read.json(t); doc["title"] != "Green tea" || fmt.Sprint(doc["labels"]) != "map[a:b]" {
		t.Errorf("read %s", read.body)
	}

	want(t, "delete without the scope", call(t, http.MethodDelete, item, alice, ""), http.StatusForbidden)
	want(t, "delete", call(t, http.MethodDelete, item, editor, ""), http.StatusNoContent)
	want(t, "get what is gone", call(t, http.MethodGet, item, alice, ""), http.StatusNotFound)
	want(t, "get nonsense", call(t, http.MethodGet, items+"/a%20b", alice, ""), http.StatusBadRequest)
}

// testReviews is about what the gateway gives to a service that only has a proto and an upstream.
func testReviews(t *testing.T, p *process) {
	t.Helper()

	reviews, alice := p.url+"/v1/reviews", p.token(t, "alice")

	want(t, "no token", call(t, http.MethodGet, reviews+"/r1", "", ""), http.StatusUnauthorized)

	bad := want(t, "against the rules", call(t, http.MethodPost, reviews, alice, `{"title": ""}`), http.StatusBadRequest)
	if !strings.Contains(bad.body, "title") {
		t.Errorf("no word of the field in %s", bad.body)
	}

	made := want(t, "create", call(t, http.MethodPost, reviews, alice, `{"title": "Good"}`), http.StatusCreated)
	if made.body != `{"reviewId":"r1","title":"Good"}` || made.header.Get("Location") != "/v1/reviews/r1" {
		t.Errorf("created %s at %q", made.body, made.header.Get("Location"))
	}

	read := want(t, "get", call(t, http.MethodGet, reviews+"/r2", alice, ""), http.StatusOK)
	if read.json(t)["reviewId"] != "r2" {
		t.Errorf("read %s", read.body)
	}

	// The burst is 100, and 50 more come back every second.
	limited := read
	for range 5000 {
		if limited = call(t, http.MethodGet, reviews+"/r2", alice, ""); limited.status != http.StatusOK {
			break
		}
	}

	want(t, "too often", limited, http.StatusTooManyRequests)

	if h := limited.header; h.Get("Retry-After") == "" || h.Get("RateLimit") == "" || h.Get("RateLimit-Policy") == "" {
		t.Errorf("429 without telling how long: %v", h)
	}

	metrics := call(t, http.MethodGet, p.admin+"/metrics", "", "")
	for _, rpc := range []string{"review.v1.ReviewService.GetReview", "review.v1.ReviewService.CreateReview"} {
		if !strings.Contains(metrics.body, rpc) {
			t.Errorf("no metrics of %s", rpc)
		}
	}
}

// startReviews is a backend without generated code: it answers a title with a review of it, and an id with an empty review.
func startReviews(t *testing.T) (address string) {
	t.Helper()

	answer := func(_ any, stream grpc.ServerStream) error {
		// Its fields are all unknown, and so travel as they are.
		var req, resp emptypb.Empty
		if err := stream.RecvMsg(&req); err != nil {
			return err
		}

		_, _, n := protowire.ConsumeTag(req.ProtoReflect().GetUnknown())
		text, _ := protowire.ConsumeString(req.ProtoReflect().GetUnknown()[n:])

		fields := protowire.AppendTag(nil, 1, protowire.BytesType)
		if method, _ := grpc.MethodFromServerStream(stream); strings.HasSuffix(method, "/GetReview") {
			fields = protowire.AppendString(fields, text)
		} else {
			fields = protowire.AppendString(fields, "r1")
			fields = protowire.AppendString(protowire.AppendTag(fields, 2, protowire.BytesType), text)
		}

		resp.ProtoReflect().SetUnknown(fields)

		return stream.SendMsg(&resp)
	}

	listener := listen(t, net.JoinHostPort("127.0.0.1", "0"))
	server := grpc.NewServer(grpc.UnknownServiceHandler(answer))
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}
