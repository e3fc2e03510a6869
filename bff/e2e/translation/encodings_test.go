package translation_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// verbatim is a gRPC codec for encodings that are ready.
type verbatim struct{ encoding.CodecV2 }

func (verbatim) Name() string { return "verbatim" }

func (verbatim) Marshal(v any) (mem.BufferSlice, error) {
	wire, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is no encoding", v)
	}

	return mem.BufferSlice{mem.SliceBuffer(wire)}, nil
}

func (verbatim) Unmarshal(data mem.BufferSlice, v any) error {
	wire, ok := v.(*[]byte)
	if !ok {
		return errors.New("not a place for an encoding")
	}

	*wire = data.Materialize()

	return nil
}

// startVerbatim serves every.v1.EveryService by a backend that answers each call with these bytes.
func startVerbatim(t *testing.T, answer *atomic.Value) *gatewaytest.Site {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer(grpc.ForceServerCodecV2(verbatim{}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if method, _ := grpc.MethodFromServerStream(stream); !strings.HasPrefix(method, "/every.") {
				return status.Error(codes.Unimplemented, method) // Health checks.
			}

			var request []byte
			if err := stream.RecvMsg(&request); err != nil {
				return err
			}

			return stream.SendMsg(answer.Load())
		}))

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return gatewaytest.StartMirror(t, func(cfg *config.Config) {
		cfg.Upstreams["every"] = config.Upstream{
			Addresses: []string{listener.Addr().String()}, Probe: config.Probe{Disabled: true},
		}
	})
}

// What a backend sends is not decoded on its way to the client. Whatever an encoder may write is understood all the same.
func TestUnusualEncodings(t *testing.T) {
	t.Parallel()

	var (
		answer atomic.Value

		varint = func(wire []byte, number protowire.Number, value uint64) []byte {
			return protowire.AppendVarint(protowire.AppendTag(wire, number, protowire.VarintType), value)
		}
		text = func(wire []byte, number protowire.Number, value string) []byte {
			return protowire.AppendString(protowire.AppendTag(wire, number, protowire.BytesType), value)
		}
		inner = string(varint(nil, 2, 7))
		s     = startVerbatim(t, &answer)
	)

	for _, row := range []struct {
		name string
		wire []byte
	}{
		{"nothing", nil},
		{"in_order", text(varint(nil, 2, 5), 14, "é")},
		{"out_of_order", varint(text(nil, 14, "last"), 2, 5)},
		{"the_last_one_counts", varint(varint(nil, 2, 5), 2, 6)},
		{"zero_is_unset", varint(nil, 2, 0)},
		{"parts_of_a_message", text(text(nil, 17, inner), 17, string(text(nil, 14, "a")))},
		{"packed_and_not", varint(text(varint(nil, 32, 1), 32, "\x02\x03"), 32, 4)},
		{"a_list_in_two_places", varint(text(varint(nil, 32, 1), 37, "a"), 32, 2)},
		{"second_of_a_oneof", varint(text(nil, 81, "first"), 82, 0)},
		{"map_with_a_key_twice", text(text(nil, 62, "\x0a\x01a\x12\x01b"), 62, "\x0a\x01a\x12\x01c")},
		{"map_without_value", text(text(nil, 62, "\x0a\x01b"), 62, "\x0a\x01a\x12\x01c")},
		{"unknown_fields", varint(text(varint(nil, 2, 5), 999, "?"), 1000, 1)},
		{"of_another_type", text(varint(nil, 14, 3), 2, "?")},
		{"group", protowire.AppendTag(protowire.AppendTag(varint(nil, 1, 1), 999, protowire.StartGroupType), 999, protowire.EndGroupType)},
	} {
		answer.Store(append([]byte{}, row.wire...))

		var m everyv1.Every
		if err := proto.Unmarshal(row.wire, &m); err != nil {
			t.Fatal(err)
		}

		want, err := protojson.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}

		got := s.Do(t, http.MethodGet, "/v1/every", nil, "")
		if got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", row.name, got.Status, got.Body)

			continue
		}

		sameJSON(t, row.name, got.Body, string(want))
	}
}

// An answer that cannot be translated is the backend's fault, and nothing of it reaches the client.
func TestBrokenEncodings(t *testing.T) {
	t.Parallel()

	var answer atomic.Value

	s := startVerbatim(t, &answer)

	for name, wire := range map[string]string{
		"cut":           "\x72\x05secr",
		"no_record":     "secret\xff\xff",
		"invalid_utf_8": "\x72\x07secret\xff",
		"out_of_range":  "\xaa\x06\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"any_of_what":   "\xe2\x06\x08\x0a\x06secret",
	} {
		answer.Store([]byte(wire))

		got := s.Do(t, http.MethodGet, "/v1/every", nil, "")
		if got.Status != http.StatusInternalServerError || strings.Contains(got.Body, "secr") ||
			got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s", name, got.Status, got.Header, got.Body)
		}
	}
}
