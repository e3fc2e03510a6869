package cache_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func BenchmarkLeg(b *testing.B) {
	c := cache.New(memory(b, 1<<20), nil)
	b.Cleanup(c.Close)
	m := c.Method(cache.LegRule{Upstream: "user", RPC: "/user.v1.UserService/GetUser", Timeout: time.Minute})
	ctx, cancel := context.WithTimeout(reqinfo.NewContext(b.Context(), ada()), time.Hour)
	defer cancel()
	req := &userv1.GetUserRequest{UserId: "ada"}
	data := []byte("x")
	call := func(ctx context.Context, _ proto.Message) ([]byte, error) { _ = ctx.Done(); return data, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Do(ctx, req, call); err != nil {
			b.Fatal(err)
		}
	}
}
