package compress_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const skippable = "\x57\x2a\x4d\x18\x05\x00\x00\x00abcde"

// framed is a frame of zstd with this window, whose header does not say how large the content is.
func framed(tb testing.TB, window int, content []byte) []byte {
	tb.Helper()

	var buf bytes.Buffer

	z, err := zstd.NewWriter(&buf, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}

	_, _ = z.Write(content)
	_ = z.Flush() // So that the size is not known when the header is written.
	_ = z.Close()

	return buf.Bytes()
}

// Once, only the window of a frame at the very beginning was reduced. Others were refused for a window over 8 MiB, which they had
// not.
func TestWindowOfEachFrameIsReduced(t *testing.T) {
	t.Parallel()

	text := []byte(strings.Repeat("how much wood would a woodchuck chuck? ", 20))
	frame, empty := framed(t, 8<<20, text), framed(t, 8<<20, nil)

	for name, row := range map[string]struct {
		sent []byte
		want []byte
	}{
		"two_frames":             {slices.Concat(frame, frame), slices.Concat(text, text)},
		"skippable_first":        {slices.Concat([]byte(skippable), frame), text},
		"skippable_between":      {slices.Concat(frame, []byte(skippable), []byte(skippable), frame), slices.Concat(text, text)},
		"skippable_last":         {slices.Concat(frame, []byte(skippable)), text},
		"skippable_alone":        {[]byte(skippable), nil},
		"skippable_of_nothing":   {slices.Concat([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"), frame), text},
		"empty_frame_first":      {slices.Concat(empty, frame), text},
		"single_segment_between": {slices.Concat(encodeAll(t, text), frame), slices.Concat(text, text)},
		"repeated_byte":          {slices.Concat(framed(t, 8<<20, make([]byte, 9000)), frame), slices.Concat(make([]byte, 9000), text)},
	} {
		for _, body := range []io.Reader{bytes.NewReader(row.sent), iotest.OneByteReader(bytes.NewReader(row.sent))} {
			got, _ := receive(t, &reqinfo.Record{BodyLimit: limit}, []string{"zstd"}, body)
			if got.err != nil || !bytes.Equal(got.body, row.want) {
				t.Errorf("%s: %d bytes, %v", name, len(got.body), got.err)
			}
		}
	}

	sent := slices.Concat([]byte(skippable), frame, frame)

	for n := range sent {
		want, err := plainly(sent[:n])

		got, _ := receive(t, &reqinfo.Record{BodyLimit: limit}, []string{"zstd"}, bytes.NewReader(sent[:n]))
		if (err == nil) != (got.err == nil) || err == nil && !bytes.Equal(got.body, want) {
			t.Errorf("%d of %d bytes: %d bytes, %v, want %d, %v", n, len(sent), len(got.body), got.err, len(want), err)
		}

		if p := problem.From(got.err); got.err != nil && p.Detail != "the body is not valid zstd" {
			t.Errorf("%d of %d bytes: %s", n, len(sent), p.Detail)
		}
	}
}

func encodeAll(tb testing.TB, content []byte) []byte {
	tb.Helper()

	z, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		tb.Fatal(err)
	}

	return z.EncodeAll(content, nil)
}

// plainly is what the library decodes by itself.
func plainly(sent []byte) ([]byte, error) {
	z, err := zstd.NewReader(bytes.NewReader(sent), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()

	return io.ReadAll(io.LimitReader(z, limit+1))
}

// Once, 18 bytes in chunks took 8.7 MB where a route allowed that much, and decoders that had seen a small window were not used
// again.
func TestWindowOfABodyOfUnknownLength(t *testing.T) {
	// Not parallel: it measures memory.
	for name, row := range map[string]struct {
		sent  []byte
		bytes uint64
	}{
		"window":         {framed(t, 8<<20, []byte("a")), 6 << 20},
		"single_segment": {[]byte("\x28\xb5\x2f\xfd\xa0\x00\x00\x7f\x00\x01\x00\x00"), 6 << 20},
		"small":          {framed(t, 1<<17, []byte("a")), 1 << 20},
	} {
		var before, after runtime.MemStats

		runtime.ReadMemStats(&before)
		receive(t, &reqinfo.Record{BodyLimit: 256 << 20}, []string{"zstd"}, bytes.NewReader(row.sent))
		runtime.ReadMemStats(&after)

		if total := after.TotalAlloc - before.TotalAlloc; total > row.bytes {
			t.Errorf("%s: %d bytes take %d", name, len(row.sent), total)
		}
	}
}

// A small window leaves a decoder small enough to be kept, whatever the route allows.
func TestDecodersOfSmallWindowsAreKept(t *testing.T) {
	// Not parallel: it measures memory.
	h := recorded(&reqinfo.Record{BodyLimit: 256 << 20}, compress.Requests(100)(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })))
	sent := framed(t, 1<<17, []byte("a"))

	const rounds = 100

	var before, after runtime.MemStats

	runtime.ReadMemStats(&before)

	for range rounds {
		r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(bytes.NewReader(sent)))
		r.Header.Set("Content-Encoding", "zstd")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}

	runtime.ReadMemStats(&after)

	// With the race detector, a pool drops some of what is put into it.
	if total := (after.TotalAlloc - before.TotalAlloc) / rounds; total > 200<<10 {
		t.Errorf("a body takes %d", total)
	}
}

// What refers further back than is permitted without a length is told so. With one, or without such references, it is decoded.
func TestLargeBodiesOfUnknownLength(t *testing.T) {
	t.Parallel()

	random := make([]byte, 5<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)

	far := slices.Concat(random, random[:100_000])

	for name, row := range map[string]struct {
		sent    []byte
		chunked bool
		size    int
		detail  string
	}{
		"near":           {framed(t, 8<<20, random), true, len(random), ""},
		"single_segment": {encodeAll(t, random), true, len(random), ""},
		"far":            {framed(t, 8<<20, far), false, len(far), ""},
		"far_chunked": {
			framed(t, 8<<20, far), true, 0,
			"the body is not valid zstd, or needs a window larger than 4 MiB, which only a body with a Content-Length may have",
		},
	} {
		var (
			n   int64
			err error
		)

		h := recorded(&reqinfo.Record{BodyLimit: 256 << 20}, compress.Requests(100)(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) { n, err = io.Copy(io.Discard, r.Body) })))
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(row.sent))
		r.Header.Set("Content-Encoding", "zstd")

		if row.chunked {
			r.ContentLength = -1
		}

		h.ServeHTTP(httptest.NewRecorder(), r)

		if row.detail == "" && (err != nil || n != int64(row.size)) || row.detail != "" && problem.From(err).Detail != row.detail {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// Whatever the headers of frames are, a body decodes to what the library makes of it, or fails where that does.
func FuzzFrames(f *testing.F) {
	text := []byte(strings.Repeat("how much wood would a woodchuck chuck? ", 20))

	for _, frame := range [][]byte{
		framed(f, 8<<20, text), framed(f, 1<<10, text), framed(f, 8<<20, nil), encodeAll(f, text), []byte(skippable),
	} {
		f.Add(frame, framed(f, 8<<20, text))
		f.Add(frame, []byte(skippable))
	}

	f.Fuzz(func(t *testing.T, first, second []byte) {
		sent := slices.Concat(first, second)
		want, wantErr := plainly(sent)

		var (
			got []byte
			err error
		)

		h := recorded(&reqinfo.Record{BodyLimit: limit}, compress.Requests(1<<30)(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) { got, err = io.ReadAll(r.Body) })))
		r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(bytes.NewReader(sent)))
		r.Header.Set("Content-Encoding", "zstd")
		h.ServeHTTP(httptest.NewRecorder(), r)

		tooLarge := (*http.MaxBytesError)(nil)

		switch {
		case errors.As(err, &tooLarge): // It has another limit than the library.
		case (err == nil) != (wantErr == nil):
			t.Fatalf("%q: %v, want %v", sent, err, wantErr)
		case err == nil && !bytes.Equal(got, want):
			t.Fatalf("%q: %q, want %q", sent, got, want)
		}
	})
}
