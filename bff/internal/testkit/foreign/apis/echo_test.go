package apis_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/testkit/foreign/apis/linked"
	"github.com/portico-gateway/portico/bff/internal/testkit/linkedserver"
	"github.com/portico-gateway/portico/bff/internal/tool/mock"
)

// rounds are how often each route is asked with random messages.
const rounds = 3

func TestRoutesTakeWhatIsSentAndAnswerIt(t *testing.T) {
	t.Parallel()

	for _, api := range linked.APIs() {
		t.Run(api.Name, func(t *testing.T) {
			t.Parallel()

			s := start(t, api)

			examples, err := mock.NewExamples()
			if err != nil {
				t.Fatal(err)
			}

			for i, r := range s.routes {
				f := filler{rand.New(rand.NewPCG(uint64(i), 17))}

				if example, _ := examples.Of(r.Descriptor); example != nil {
					message := linkedserver.NewMessage(r.Descriptor.Input())
					proto.Merge(message, example)
					s.exchange(t, f, r, message)
				}

				for range rounds {
					random := linkedserver.NewMessage(r.Descriptor.Input())
					f.fill(random.ProtoReflect(), 4)
					s.exchange(t, f, r, random)
				}
			}
		})
	}
}

// exchange sends a message and compares what arrives with it, and the answer with the backend's.
func (s *site) exchange(t *testing.T, f filler, r schema.Route, message proto.Message) {
	t.Helper()
	setMask(message.ProtoReflect(), r)

	request, err := f.write(r, message)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}

	if protovalidate.Validate(request.means) != nil {
		return // It breaks the rules of its proto.
	}

	target := request.path
	if len(request.query) > 0 {
		target += "?" + request.query.Encode()
	}

	got := s.do(t, r.Method, target, request.body)
	if got.status != http.StatusOK {
		t.Errorf("%s of %s: %d\n%s\n%s\n%.500s", r, r.RPC, got.status, target, request.body, got.body)
		s.backend.Taken()

		return
	}

	calls := s.backend.Taken()
	if len(calls) != 1 || calls[0].Method != r.RPC || len(calls[0].Requests) != 1 {
		t.Errorf("%s: the backend was asked %v, want %s once", r, calls, r.RPC)

		return
	}

	if arrived := calls[0].Requests[0]; !proto.Equal(request.means, arrived) {
		t.Errorf("%s of %s: %s\n%s (-sent +arrived):\n%s", r, r.RPC, target, request.body,
			cmp.Diff(request.means, arrived, protocmp.Transform()))
	}

	s.compareAnswer(t, r, got.body)
}

// setMask names what a PATCH changes, which the gateway would do otherwise.
func setMask(message protoreflect.Message, r schema.Route) {
	if r.Method != http.MethodPatch {
		return
	}

	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); field.Message() != nil && field.Message().FullName() == "google.protobuf.FieldMask" {
			mask := message.Mutable(field).Message()
			paths := mask.Mutable(mask.Descriptor().Fields().ByName("paths")).List()
			paths.Truncate(0)
			paths.Append(protoreflect.ValueOfString("display_name"))
		}
	}
}

// compareAnswer compares what the client got with what the backend said.
func (s *site) compareAnswer(t *testing.T, r schema.Route, body string) {
	t.Helper()

	want := s.backend.Answer(r.Descriptor)
	text := []byte(body)

	if want.ProtoReflect().Descriptor().FullName() == "google.api.HttpBody" {
		if field := want.ProtoReflect().Descriptor().Fields().ByName("data"); !bytes.Equal(text, want.ProtoReflect().Get(field).Bytes()) {
			t.Errorf("%s: the file is not the backend's", r)
		}

		return
	}

	if r.ResponseBody != "" {
		name := r.Descriptor.Output().Fields().ByName(protoreflect.Name(r.ResponseBody)).JSONName()
		text, _ = json.Marshal(map[string]json.RawMessage{name: text})
	}

	got := linkedserver.NewMessage(r.Descriptor.Output())
	if err := protojson.Unmarshal([]byte(strings.TrimSpace(string(text))), got); err != nil {
		t.Errorf("%s: the answer %v: %.200s", r, err, body)

		return
	}

	if !proto.Equal(want, got) {
		t.Errorf("%s: the answer (-backend +client):\n%s", r, cmp.Diff(want, got, protocmp.Transform()))
	}
}
