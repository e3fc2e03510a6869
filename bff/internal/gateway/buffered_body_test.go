package gateway

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Once, the body of a request with an idempotency key was read again, which counted as memory that the request takes.
func TestBufferedBodiesAreNotReadAgain(t *testing.T) {
	t.Parallel()

	body := bytes.Repeat([]byte("abcdefgh"), 1<<17)
	rec := &reqinfo.Record{}
	rec.AddWireBytes(len(body))

	r := httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodPost, "/", nil)
	r.Body = bufferBody(bytes.NewReader(body), -1, rec)
	left, before := rec.MemoryLeft(), r.Body

	got, ok := problem.ReadBody(httptest.NewRecorder(), r)
	if !ok || !bytes.Equal(got, body) || r.Body != before {
		t.Errorf("%d bytes, %t, another body %t", len(got), ok, r.Body != before)
	}

	x := &exchange{request: r}
	if again, err := x.body(); err != nil || &again[0] != &got[0] || rec.MemoryLeft() != left {
		t.Errorf("%v, takes %d bytes more", err, left-rec.MemoryLeft())
	}
}

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
