package command_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// costlyRequest is a request that is made to cost much.
type costlyRequest struct {
	name, method, target, coding string
	body                         []byte
	// detail is what the problem says.
	detail string
}

// repeated is a document of so many elements.
func repeated(begin, element string, count int, end string) []byte {
	return []byte(begin + strings.Repeat(element+",", count-1) + element + end)
}

// gzipped is a body as small as it gets.
func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()

	var out bytes.Buffer

	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}

	_, _ = w.Write(body)
	_ = w.Close()

	return out.Bytes()
}

func zstandard(t *testing.T, body []byte) []byte {
	t.Helper()

	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}

	return z.EncodeAll(body, nil)
}

func costlyRequests(t *testing.T) []costlyRequest {
	t.Helper()

	const (
		tooMany = "the body: items: must contain no more than 100 item(s)"
		ratio   = "the decompressed body is more than 100 times as large as the compressed one"
	)

	items, value := repeated(`{"items":[`, `{}`, 349_000, `]}`), repeated(`{"value":[`, `{}`, 349_000, `]}`)

	return []costlyRequest{
		{"items", http.MethodPost, "/v1/orders", "", repeated(`{"items":[`, `{}`, 34_000, `]}`), tooMany},
		{"many_items", http.MethodPost, "/v1/orders", "", items, tooMany},
		{"items_in_gzip", http.MethodPost, "/v1/orders", "gzip", gzipped(t, items), ratio},
		{"items_in_zstd", http.MethodPost, "/v1/orders", "zstd", zstandard(t, items), ratio},
		{"values_in_gzip", http.MethodPost, "/v1/orders", "gzip", gzipped(t, value), ratio},
		{
			"zeros_for_a_file", http.MethodPut, "/v1/users/alice/avatar", "zstd",
			zstandard(t, append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 3<<20)...)), ratio,
		},
		{
			"deep_query", http.MethodGet, "/v1/users/alice?" + strings.Repeat("nested.", 120_000) + "id=1", "", nil,
			"the query parameter: " + strings.Repeat("nested.", 9) + "n…: is nested more than 64 levels deep",
		},
		{
			"deeper_query", http.MethodGet, "/v1/users/alice?" + strings.Repeat("e.", 520_000) + "id=1", "", nil,
			"the query parameter: " + strings.Repeat("e.", 32) + "…: is nested more than 64 levels deep",
		},
		{
			"many_parameters", http.MethodGet, "/v1/users/alice?" + strings.Repeat("a&", 500_000), "", nil,
			"the query has more than 1000 parameters",
		},
		{
			"long_number", http.MethodPost, "/v1/orders", "", []byte(`{"items":[{"quantity":` + strings.Repeat("1", 1_000_000) + `}]}`),
			"the body: items[0].quantity: is a number of more than 1100 characters",
		},
	}
}

// send returns the status, and the detail of the problem.
func (h costlyRequest) send(t *testing.T, p *process, token string) (int, string) {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), h.method, p.url+h.target, bytes.NewReader(h.body))
	if err != nil {
		t.Error(err)

		return 0, ""
	}

	req.Header.Set("Authorization", "Bearer "+token)

	if h.body != nil {
		req.Header.Set("Content-Type", map[bool]string{true: "application/json", false: "image/png"}[h.method == http.MethodPost])
	}

	if h.coding != "" {
		req.Header.Set("Content-Encoding", h.coding)
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)

		return 0, ""
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}

	var doc struct{ Detail string }

	decode(t, string(text), &doc)

	return res.StatusCode, doc.Detail
}

// Once, a megabyte took eight hundred, a kilobyte of gzip as much, and a long query ended the process. A request takes at most 100 times
// its bytes and 8 MB, also if there are four at once.
//
// It is not parallel, because it measures memory.
func TestHostileRequestsTakeLittleMemory(t *testing.T) { //nolint:paralleltest // See above.
	for _, h := range costlyRequests(t) {
		t.Run(h.name, func(t *testing.T) { //nolint:paralleltest // As above.
			const requests = 4

			p := startDevOf(t, binary, t.TempDir())
			alice, bob := p.token(t, "alice"), p.token(t, "bob")

			// What any request takes the first time.
			for range 5 {
				call(t, http.MethodPost, p.url+"/v1/orders?x=1", bob, `{"items":[{}]}`)
			}

			idle := p.peak(t)

			var all sync.WaitGroup
			for range requests {
				all.Go(func() {
					if status, detail := h.send(t, p, alice); status/100 != 4 || detail != h.detail {
						t.Errorf("got %d %q, want %q", status, detail, h.detail)
					}
				})
			}

			all.Wait()

			const kib = 1 << 10

			took, most := p.peak(t)-idle, requests*(100*(len(h.target)+len(h.body))/kib+8*kib)
			t.Logf("%d bytes took %d KiB of %d", len(h.target)+len(h.body), took, most)

			if took > most {
				t.Errorf("%d requests of %d bytes took %d KiB, more than %d", requests, len(h.target)+len(h.body), took, most)
			}

			want(t, "afterwards", call(t, http.MethodGet, p.url+"/v1/users/alice/orders", alice, ""), http.StatusOK)
		})
	}
}
