package edge_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// wordy answers with as many bytes as the number says: of int64_field with such as do not compress.
type wordy struct{ gatewaytest.Mirror }

func (wordy) Echo(_ context.Context, m *everyv1.Every) (*everyv1.Every, error) {
	if size := m.GetInt64Field(); size > 0 {
		noise := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{}).Read(noise)

		return &everyv1.Every{BytesField: noise}, nil
	}

	return &everyv1.Every{StringField: strings.Repeat("x", int(m.GetInt32Field()))}, nil
}

func (wordy) Count(m *everyv1.Every, stream grpc.ServerStreamingServer[everyv1.Every]) error {
	for _, size := range []int32{1, m.GetInt32Field()} {
		if err := stream.Send(&everyv1.Every{StringField: strings.Repeat("x", int(size))}); err != nil {
			return err
		}
	}

	return nil
}

// tolerant takes messages that are larger than usual.
type tolerant struct{ gatewaytest.Mirror }

func (tolerant) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(16 << 20)}
}

// strict takes messages of at most 1000 bytes.
type strict struct{ gatewaytest.Mirror }

func (strict) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(1000)}
}

// startWordy takes this much of the backend in one message. Zero: the default.
func startWordy(t *testing.T, maxReceive int, logs *gatewaytest.LogBuffer) *gatewaytest.Site {
	t.Helper()

	return gatewaytest.StartMirrorOf(t, wordy{}, func(c *config.Config) {
		u := c.Upstreams["every"]
		u.MaxReceiveBytes = maxReceive
		c.Upstreams["every"] = u
	}, &porticov1.MethodPolicy{MaxBodyBytes: new(int64(16 << 20))}, bff.WithLogger(slog.New(slog.NewJSONHandler(logs, nil))))
}

// Once, an answer over 4 MiB was a 500 that no setting could change and nothing explained.
func TestAnswersAreAsLargeAsTheUpstreamMaySend(t *testing.T) {
	t.Parallel()

	const (
		size   = 6 << 20
		reason = "the reply of a service is larger than the gateway accepts"
	)

	for name, row := range map[string]struct {
		maxReceive int
		fits       bool
		setting    string
	}{
		"default": {setting: "upstreams.every.max_receive_bytes (4194304)"},
		"less":    {maxReceive: 1000, setting: "upstreams.every.max_receive_bytes (1000)"},
		"more":    {maxReceive: 8 << 20, fits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			logs := &gatewaytest.LogBuffer{}
			s := startWordy(t, row.maxReceive, logs)

			unary := s.Do(t, http.MethodGet, fmt.Sprintf("/v1/every?int32Field=%d", size), nil, "")
			stream := s.Do(t, http.MethodGet, fmt.Sprintf("/v1/count?int32Field=%d", size), nil, "")

			if row.fits {
				if unary.Status != http.StatusOK || len(unary.Body) < size || stream.Status != http.StatusOK || len(stream.Body) < size {
					t.Errorf("%d with %d bytes, %d with %d bytes", unary.Status, len(unary.Body), stream.Status, len(stream.Body))
				}

				return
			}

			if doc := unary.Problem(t); unary.Status != http.StatusInternalServerError || doc["detail"] != reason || doc["code"] != "INTERNAL" {
				t.Errorf("%d %s", unary.Status, unary.Body)
			}

			if !strings.Contains(stream.Body, `{"error":{"type":"about:blank"`) || !strings.Contains(stream.Body, reason) {
				t.Errorf("the stream ends with %.300s", stream.Body)
			}

			for _, rpc := range []string{"/every.v1.EveryService/Echo", "/every.v1.EveryService/Count"} {
				want := "upstream every: the reply of " + rpc + " is larger than " + row.setting
				gatewaytest.Eventually(t, "the log naming the setting", func() bool { return strings.Contains(logs.String(), want) })
			}
		})
	}
}

// A request that is larger than the backend takes is the client's fault, whatever gRPC says; a larger limit of the route is enough
// where the backend takes as much.
func TestRequestsAreAsLargeAsTheBackendTakes(t *testing.T) {
	t.Parallel()

	s := startWordy(t, 0, &gatewaytest.LogBuffer{})
	body := func(size int) string { return `{"int32Field":1,"stringField":"` + strings.Repeat("x", size) + `"}` }

	if res := s.Do(t, http.MethodPost, "/v1/every", nil, body(4<<20-100)); res.Status != http.StatusOK {
		t.Errorf("what the backend takes: %d %.300s", res.Status, res.Body)
	}

	res := s.Do(t, http.MethodPost, "/v1/every", nil, body(6<<20))
	if doc := res.Problem(t); res.Status != http.StatusRequestEntityTooLarge || doc["detail"] != "the request is larger than the service accepts" {
		t.Errorf("what it does not take: %d %s", res.Status, res.Body)
	}

	s = gatewaytest.StartMirrorOf(t, tolerant{}, func(c *config.Config) {
		c.Upstreams["every"] = config.Upstream{Addresses: c.Upstreams["every"].Addresses, MaxReceiveBytes: 16 << 20}
	}, &porticov1.MethodPolicy{MaxBodyBytes: new(int64(16 << 20))})

	if res := s.Do(t, http.MethodPost, "/v1/every", nil, body(10<<20)); res.Status != http.StatusOK || len(res.Body) < 10<<20 {
		t.Errorf("of a backend that takes more: %d with %d bytes", res.Status, len(res.Body))
	}
}

// Once, a request that was too large for the backend was a 500 about its answer, if the RPC streamed.
func TestLargeRequestsOfStreams(t *testing.T) {
	t.Parallel()

	large := strings.Repeat("x", 2000)

	for name, maxReceive := range map[string]int{"same_limit": 1000, "another_limit": 0} {
		s := gatewaytest.StartMirrorOf(t, strict{}, func(c *config.Config) {
			c.Upstreams["every"] = config.Upstream{Addresses: c.Upstreams["every"].Addresses, MaxReceiveBytes: maxReceive}
		}, nil)

		for _, row := range []struct{ method, target, body string }{
			{http.MethodGet, "/v1/count?int32Field=1&stringField=" + large, ""},
			{http.MethodPost, "/v1/collect", `{"stringField":"a"}` + "\n" + `{"stringField":"` + large + `"}` + "\n"},
			{http.MethodPost, "/v1/talk", `{"stringField":"` + large + `"}` + "\n"},
			{http.MethodPost, "/v1/upload", large},
			{http.MethodPut, "/v1/files/a", large},
		} {
			header := http.Header{}
			if strings.HasPrefix(row.body, "{") {
				header.Set("Content-Type", "application/x-ndjson")
			}

			t.Run(name+"/"+row.method+strings.SplitN(row.target, "?", 2)[0], func(t *testing.T) {
				t.Parallel()

				res := s.Do(t, row.method, row.target, header, row.body)
				if doc := res.Problem(t); res.Status != http.StatusRequestEntityTooLarge || doc["detail"] != "the request is larger than the service accepts" {
					t.Errorf("%d %s", res.Status, res.Body)
				}
			})
		}
	}
}

// Once, an answer as large as the request would have been taken for it.
func TestEchoIsLargerThanTheGatewayTakes(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, tolerant{}, nil, &porticov1.MethodPolicy{MaxBodyBytes: new(int64(16 << 20))})

	res := s.Do(t, http.MethodPost, "/v1/every", nil, `{"stringField":"`+strings.Repeat("x", 6<<20)+`"}`)
	if doc := res.Problem(t); res.Status != http.StatusInternalServerError || doc["detail"] != "the reply of a service is larger than the gateway accepts" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// The same holds for the calls that composites make.
func TestLargeAnswersWithinComposites(t *testing.T) {
	t.Parallel()

	const reason = "the reply of a service is larger than the gateway accepts"

	for upstream, status := range map[string]int{"order": http.StatusOK, "user": http.StatusInternalServerError} {
		t.Run(upstream, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.Start(t, func(c *config.Config) {
				c.Upstreams[upstream] = config.Upstream{Addresses: c.Upstreams[upstream].Addresses, MaxReceiveBytes: 1}
			})

			res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")
			if res.Status != status || !strings.Contains(res.Body, reason) || strings.Contains(res.Body, "max_receive_bytes") {
				t.Errorf("%d %s", res.Status, res.Body)
			}

			gatewaytest.Eventually(t, "the log naming the setting", func() bool {
				return strings.Contains(s.Logs.String(), "upstreams."+upstream+".max_receive_bytes (1)")
			})
		})
	}
}
