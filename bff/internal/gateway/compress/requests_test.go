package compress_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const limit = 1 << 20

// received is what a handler behind Requests got.
type received struct {
	header http.Header
	length int64
	body   []byte
	err    error
}

// receive runs Requests over a body, as a server without a declared length would get it.
func receive(tb testing.TB, rec *reqinfo.Record, codings []string, body io.Reader) (received, *httptest.ResponseRecorder) {
	tb.Helper()

	var got received

	h := recorded(rec, compress.Requests(100)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.header, got.length = r.Header, r.ContentLength
		got.body, got.err = io.ReadAll(r.Body)
	})))

	r := httptest.NewRequest(http.MethodPost, "/v1/x", io.MultiReader(body))
	r.Header["Content-Encoding"] = codings
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return got, w
}

func TestBodiesAreDecoded(t *testing.T) {
	t.Parallel()

	random := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)

	// As much as the limit, at a ratio that is allowed.
	large := slices.Concat(random, bytes.Repeat([]byte("abcdefghij"), (limit-len(random))/10))

	tests := []struct {
		name    string
		codings []string
		sent    []byte
		want    []byte
	}{
		{"none", nil, []byte("a"), []byte("a")},
		{"identity", []string{"identity"}, []byte("a"), []byte("a")},
		{"empty_coding", []string{""}, []byte("a"), []byte("a")},
		{"gzip", []string{"gzip"}, encode(t, "gzip", []byte("abc")), []byte("abc")},
		{"x_gzip", []string{"X-GZIP"}, encode(t, "gzip", []byte("abc")), []byte("abc")},
		{"zstd", []string{"zstd"}, encode(t, "zstd", []byte("abc")), []byte("abc")},
		{"empty_elements", []string{"", " , gzip,identity"}, encode(t, "gzip", []byte("abc")), []byte("abc")},
		{"gzip_of_nothing", []string{"gzip"}, encode(t, "gzip", nil), []byte{}},
		{"zstd_of_nothing", []string{"zstd"}, encode(t, "zstd", nil), []byte{}},
		{"gzip_without_a_byte", []string{"gzip"}, nil, []byte{}},
		{"zstd_without_a_byte", []string{"zstd"}, nil, []byte{}},
		{"gzip_members", []string{"gzip"}, slices.Concat(encode(t, "gzip", []byte("a")), encode(t, "gzip", []byte("b"))), []byte("ab")},
		{"zstd_frames", []string{"zstd"}, slices.Concat(encode(t, "zstd", []byte("a")), encode(t, "zstd", []byte("b"))), []byte("ab")},
		{"gzip_random", []string{"gzip"}, encode(t, "gzip", random), random},
		{"zstd_random", []string{"zstd"}, encode(t, "zstd", random), random},
		{"gzip_of_the_limit", []string{"gzip"}, encode(t, "gzip", large), large},
		{"zstd_of_the_limit", []string{"zstd"}, encode(t, "zstd", large), large},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var got received

			rec := &reqinfo.Record{BodyLimit: limit}
			url := serve(t, recorded(rec, compress.Requests(100)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got.header, got.length = r.Header, r.ContentLength
				got.body, got.err = io.ReadAll(r.Body)
			}))))

			do(t, http.MethodPost, url, http.Header{"Content-Encoding": tt.codings}, bytes.NewReader(tt.sent))

			if got.err != nil || !bytes.Equal(got.body, tt.want) || rec.BodyExceeded {
				t.Errorf("got %d bytes, %v, exceeded: %t", len(got.body), got.err, rec.BodyExceeded)
			}

			if len(tt.sent) > 1 && (got.length != -1 || got.header.Get("Content-Encoding") != "" || got.header.Get("Content-Length") != "") {
				t.Errorf("got length %d and header %v", got.length, got.header)
			}

			if len(tt.sent) == 0 && (got.length != 0 || got.header.Get("Content-Encoding") != "") {
				t.Errorf("got length %d and header %v", got.length, got.header)
			}
		})
	}
}

func TestOtherCodingsAreRefused(t *testing.T) {
	t.Parallel()

	for _, codings := range [][]string{
		{"br"}, {"deflate"}, {"gzip, gzip"}, {"gzip", "zstd"}, {"gzip;q=1"}, {"*"}, {"aws-chunked,gzip"},
	} {
		t.Run(strings.Join(codings, "_"), func(t *testing.T) {
			t.Parallel()

			got, w := receive(t, &reqinfo.Record{BodyLimit: limit}, codings, strings.NewReader("a"))
			if got.header != nil {
				t.Error("next was called")
			}

			var doc problem.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.Status != http.StatusUnsupportedMediaType ||
				doc.Detail != fmt.Sprintf("the Content-Encoding is %q; send gzip, zstd or none", strings.ReplaceAll(
					strings.Join(codings, ", "), "aws-chunked,", "aws-chunked, ")) {
				t.Errorf("got %v %+v", err, doc)
			}

			want := http.Header{"Accept-Encoding": {"gzip, zstd"}, "Cache-Control": {"no-store"}, "Content-Type": {problem.ContentType}}
			if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != http.StatusUnsupportedMediaType {
				t.Error(w.Code, diff)
			}
		})
	}
}

// Once, 1,070 bytes of gzip were a megabyte, within the limit of the route.
func TestRatioIsLimited(t *testing.T) {
	// Not parallel: it measures memory.
	const mib = 1 << 20

	for _, coding := range []string{"gzip", "zstd"} {
		for _, chunked := range []bool{true, false} {
			for name, bomb := range map[string][]byte{
				"zeros": encode(t, coding, make([]byte, 10*mib)),
				"text":  encode(t, coding, bytes.Repeat([]byte("{},"), mib/3)),
			} {
				rec := &reqinfo.Record{BodyLimit: 256 * mib}

				var (
					n             int64
					err           error
					before, after runtime.MemStats
				)

				h := recorded(rec, compress.Requests(100)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					n, err = io.Copy(struct{ io.Writer }{io.Discard}, r.Body)
				})))
				r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(bomb))
				r.Header.Set("Content-Encoding", coding)

				if chunked {
					// Then the window of zstd is as large as the limit, if the body asks for it.
					r.ContentLength, rec.BodyLimit = -1, mib
				}

				runtime.ReadMemStats(&before)
				h.ServeHTTP(httptest.NewRecorder(), r)
				runtime.ReadMemStats(&after)

				p := problem.From(err)
				if p.Status != http.StatusRequestEntityTooLarge || p.Detail != "the decompressed body is more than 100 times as large as the compressed one" {
					t.Errorf("%s of %s: %v", coding, name, err)
				}

				if most := max(16<<10, 100*len(bomb)); n > int64(most) || rec.BodyExceeded {
					t.Errorf("%s of %s: %d bytes of %d", coding, name, n, len(bomb))
				}

				if total := after.TotalAlloc - before.TotalAlloc; total > 2*mib+100*uint64(len(bomb)) {
					t.Errorf("%s of %s, chunked %t: %d bytes take %d", coding, name, chunked, len(bomb), total)
				}
			}
		}
	}
}

// Once, a frame of some bytes made the decoder allocate 8 MB, and the pool keep them.
func TestWindowIsNoLargerThanTheBody(t *testing.T) {
	// Not parallel: it measures memory.
	var buf bytes.Buffer

	z, err := zstd.NewWriter(&buf, zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}

	text := []byte(strings.Repeat("how much wood would a woodchuck chuck? ", 20))

	_, _ = z.Write(text)
	_ = z.Flush() // So that the size is not known when the header is written.
	_ = z.Close()

	for _, body := range []io.Reader{bytes.NewReader(buf.Bytes()), iotest.OneByteReader(bytes.NewReader(buf.Bytes()))} {
		var before, after runtime.MemStats

		runtime.ReadMemStats(&before)

		got, _ := receive(t, &reqinfo.Record{BodyLimit: limit}, []string{"zstd"}, body)

		runtime.ReadMemStats(&after)

		if got.err != nil || !bytes.Equal(got.body, text) {
			t.Errorf("got %q, %v", got.body, got.err)
		}

		if total := after.TotalAlloc - before.TotalAlloc; total > 4<<20 {
			t.Errorf("%d bytes take %d", buf.Len(), total)
		}
	}
}

// A body may say how large it is. What is too large by that is refused as what turns out to be.
func TestDeclaredSizeIsHeeded(t *testing.T) {
	t.Parallel()

	z, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}

	random := make([]byte, 2*limit)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)

	for _, row := range []struct {
		content []byte
		limit   int64
		status  int
		detail  string
	}{
		{random, limit, http.StatusRequestEntityTooLarge, "the request body is larger than 1048576 bytes"},
		{make([]byte, limit), 1 << 30, http.StatusRequestEntityTooLarge, "the decompressed body is more than 100 times as large as the compressed one"},
		{bytes.Repeat(random, 5), 1 << 30, http.StatusBadRequest, "the zstd window of the body is larger than 8 MiB"},
	} {
		got, _ := receive(t, &reqinfo.Record{BodyLimit: row.limit}, []string{"zstd"}, bytes.NewReader(z.EncodeAll(row.content, nil)))
		if p := problem.From(got.err); p.Status != row.status || p.Detail != row.detail {
			t.Errorf("%d bytes: %d %s, want %s", len(row.content), p.Status, p.Detail, row.detail)
		}
	}
}

// A window that is larger than what HTTP allows must not be allocated.
func TestLargeWindowIsRefused(t *testing.T) {
	t.Parallel()

	var buf bytes.Buffer

	z, err := zstd.NewWriter(&buf, zstd.WithWindowSize(16<<20))
	if err != nil {
		t.Fatal(err)
	}

	_, _ = z.Write(make([]byte, 1000))
	_ = z.Flush() // So that the size is not known when the header is written.
	_ = z.Close()

	got, _ := receive(t, &reqinfo.Record{BodyLimit: limit}, []string{"zstd"}, &buf)
	if len(got.body) > 0 || !errors.Is(got.err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("got %d bytes, %v", len(got.body), got.err)
	}
}

func TestDamagedBodiesFail(t *testing.T) {
	t.Parallel()

	text := []byte(strings.Repeat("how much wood would a woodchuck chuck? ", 20))

	for _, coding := range []string{"gzip", "zstd"} {
		whole := encode(t, coding, text)

		fails := func(t *testing.T, sent []byte) {
			t.Helper()

			rec := &reqinfo.Record{BodyLimit: limit}

			got, _ := receive(t, rec, []string{coding}, bytes.NewReader(sent))
			if got.err == nil || errors.Is(got.err, io.EOF) || rec.BodyExceeded {
				t.Errorf("%d of %d bytes: got %v", len(sent), len(whole), got.err)
			}

			if p := problem.From(got.err); p.Status != http.StatusBadRequest || p.Detail != "the body is not valid "+coding {
				t.Errorf("got %+v", p)
			}
		}

		t.Run(coding+"_truncated", func(t *testing.T) {
			t.Parallel()

			for n := 1; n < len(whole); n++ {
				fails(t, whole[:n])
			}
		})

		t.Run(coding+"_garbage_behind", func(t *testing.T) {
			t.Parallel()

			for _, garbage := range []string{"\x00", "a", "garbage that is longer than a header"} {
				fails(t, append(bytes.Clone(whole), garbage...))
			}
		})

		t.Run(coding+"_corrupt", func(t *testing.T) {
			t.Parallel()

			corrupt := bytes.Clone(whole)
			corrupt[len(corrupt)-5] ^= 0x10 // In the checksum of both.
			corrupt[len(corrupt)/2] ^= 0x10
			fails(t, corrupt)
			fails(t, text)
		})
	}
}

// An error of the connection is what the reader gets, even where the decoder would see a good end.
func TestErrorsOfTheConnectionPass(t *testing.T) {
	t.Parallel()

	for _, coding := range []string{"gzip", "zstd"} {
		whole := encode(t, coding, []byte("abc"))

		for _, want := range []error{io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, &http.MaxBytesError{Limit: 7}} {
			for _, n := range []int{0, 1, len(whole) / 2, len(whole)} {
				t.Run(fmt.Sprintf("%s_%T_%d", coding, want, n), func(t *testing.T) {
					t.Parallel()

					sent := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(want))

					got, _ := receive(t, &reqinfo.Record{BodyLimit: limit}, []string{coding}, sent)
					if got.err != want { //nolint:errorlint // It must be the very one.
						t.Errorf("got %v", got.err)
					}
				})
			}
		}
	}
}

// The route sets its limit after Requests, but before the first read.
func TestLimitIsThatOfTheFirstRead(t *testing.T) {
	t.Parallel()

	rec := &reqinfo.Record{BodyLimit: limit}
	h := recorded(rec, compress.Requests(100)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		rec.BodyLimit = 10

		body, err := io.ReadAll(r.Body)
		if tooLarge := (*http.MaxBytesError)(nil); len(body) != 10 || !errors.As(err, &tooLarge) || tooLarge.Limit != 10 {
			t.Errorf("got %d bytes, %v", len(body), err)
		}
	})))
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(encode(t, "zstd", make([]byte, 11))))
	r.Header.Set("Content-Encoding", "zstd")
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// Who keeps a body must not read with a decoder that has another one by now.
func TestBodyEndsWithItsHandler(t *testing.T) {
	t.Parallel()

	for _, closes := range []bool{true, false} {
		var kept io.ReadCloser

		h := recorded(&reqinfo.Record{BodyLimit: limit}, compress.Requests(100)(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				_, _ = r.Body.Read(make([]byte, 1))

				if kept = r.Body; closes {
					_ = kept.Close()
				}
			})))
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(encode(t, "gzip", make([]byte, 1000))))
		r.Header.Set("Content-Encoding", "gzip")
		h.ServeHTTP(httptest.NewRecorder(), r)

		if n, err := kept.Read(make([]byte, 1)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("got %d, %v", n, err)
		}
	}
}

// Decoders go from one body to the next, whatever the last one was; run it with -race.
func TestDecodersAreShared(t *testing.T) {
	t.Parallel()

	h := compress.Requests(100)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))

	done := make(chan struct{})

	for i := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()

			for j := range 50 {
				coding, text := []string{"gzip", "zstd"}[(i+j)%2], fmt.Appendf(nil, "%d %d", i, j)
				sent := encode(t, coding, text)
				broken := j%5 == 0

				if broken {
					sent = sent[:len(sent)-3]
				}

				r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(sent))
				r = r.WithContext(reqinfo.NewContext(context.Background(), &reqinfo.Record{BodyLimit: limit}))
				r.Header.Set("Content-Encoding", coding)

				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); !broken && (w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), text)) {
					t.Errorf("got %d %q for %q", w.Code, w.Body, text)
				}
			}
		}()
	}

	for range 8 {
		<-done
	}
}

func FuzzRequests(f *testing.F) {
	const most = 1000

	for _, coding := range []string{"gzip", "zstd"} {
		for _, size := range []int{0, 1, most, most + 1, 100_000} {
			f.Add(coding == "zstd", encode(f, coding, make([]byte, size)))
		}
	}

	f.Add(true, []byte("\x50\x2a\x4d\x18\x01\x00\x00\x00a")) // A frame to skip.

	f.Fuzz(func(t *testing.T, isZstd bool, sent []byte) {
		coding := "gzip"
		if isZstd {
			coding = "zstd"
		}

		rec := &reqinfo.Record{BodyLimit: most}

		got, _ := receive(t, rec, []string{coding}, bytes.NewReader(sent))
		if len(got.body) > most || errors.Is(got.err, io.EOF) {
			t.Fatalf("got %d bytes, %v", len(got.body), got.err)
		}

		if tooLarge := (*http.MaxBytesError)(nil); errors.As(got.err, &tooLarge) != rec.BodyExceeded {
			t.Fatalf("got %v, exceeded: %t", got.err, rec.BodyExceeded)
		}
	})
}

func BenchmarkRequests(b *testing.B) {
	buf := make([]byte, 4096)
	h := compress.Requests(100)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for err := error(nil); err == nil; {
			_, err = r.Body.Read(buf)
		}
	}))
	ctx := reqinfo.NewContext(b.Context(), &reqinfo.Record{BodyLimit: limit})

	for _, size := range []int{200, 20_000} {
		content := []byte(strings.Repeat(`{"id":"0123","name":"Alice","tags":["a","b"]},`, size/46+1)[:size])

		for _, coding := range []string{"", "gzip", "zstd"} {
			sent := content
			if coding != "" {
				sent = encode(b, coding, content)
			}

			b.Run(fmt.Sprintf("coding_%s_%d", coding, size), func(b *testing.B) {
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
				r.Header.Set("Content-Encoding", coding)
				r.ContentLength = int64(len(sent))
				w := discard{http.Header{}}
				b.ReportAllocs()
				b.SetBytes(int64(size))

				for b.Loop() {
					r.Body = io.NopCloser(bytes.NewReader(sent))
					h.ServeHTTP(w, r)
				}
			})
		}
	}
}
