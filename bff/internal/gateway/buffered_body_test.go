package gateway

import (
	"bytes"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Once, a body of a declared length was read into pieces and then put together, which took twice its size.
func TestDeclaredBodiesAreReadIntoOneBuffer(t *testing.T) {
	t.Parallel()

	const mib = 1 << 20

	for length, most := range map[int64]int64{mib: mib * 5 / 4, -1: 3 * mib, 1 << 40: 3 * mib, 1000: 3 * mib} {
		body := bytes.Repeat([]byte("abcdefgh"), mib/8)
		rec := &reqinfo.Record{}
		rec.AddWireBytes(len(body))

		before := rec.MemoryLeft()

		got, err := readAll(bytes.NewReader(body), length, rec)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("length %d: %d bytes, %v", length, len(got), err)
		}

		if took := before - rec.MemoryLeft(); took > most {
			t.Errorf("length %d: takes %d bytes, more than %d", length, took, most)
		}
	}
}
