package protojson_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// The encoding is any bytes.
func FuzzBytes(f *testing.F) {
	for kind := range kinds {
		for _, wire := range samples(f) {
			f.Add(kind, wire)
		}
	}

	f.Fuzz(func(t *testing.T, kind int, wire []byte) {
		same(t, kinds[uint(kind)%uint(len(kinds))], wire, plain, defaults, protoNames)
	})
}

// The encoding is a message, but its records lie as they like.
func FuzzRecords(f *testing.F) {
	for kind := range kinds {
		f.Add(kind, []byte{8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	}

	f.Fuzz(func(t *testing.T, kind int, chosen []byte) {
		of := kinds[uint(kind)%uint(len(kinds))]
		same(t, of, (*choices)(&chosen).message(of.Descriptor(), 3), plain, defaults, protoNames)
	})
}

// samples are encodings as encoders write them.
func samples(tb testing.TB) [][]byte {
	tb.Helper()

	messages := []proto.Message{
		&everyv1.Every{}, orders(2), &everyv1.Every{
			Int32S: []int32{1, -2}, Strings: []string{"a", ""}, ByString: map[string]string{"b": "1", "a": "2"},
			Every: &everyv1.Every{StringField: "é"}, Choice: &everyv1.Every_ChoiceInt32{},
		},
	}

	wires := make([][]byte, 0, len(messages))

	for _, m := range messages {
		wire, err := proto.Marshal(m)
		if err != nil {
			tb.Fatal(err)
		}

		wires = append(wires, wire)
	}

	return wires
}
