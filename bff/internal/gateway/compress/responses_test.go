package compress_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestCodingIsTheOneTheClientLikesBest(t *testing.T) {
	t.Parallel()

	url := serve(t, responses(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.Repeat("a", 5000))
	}))

	tests := []struct{ name, accept, want string }{
		{"nothing_said", "", ""},
		{"gzip", "gzip", "gzip"},
		{"zstd", "zstd", "zstd"},
		{"zstd_if_all_the_same", "gzip, deflate, br, zstd", "zstd"},
		{"case_does_not_matter", "GZIP", "gzip"},
		{"weights", "zstd;q=0.5, gzip;q=0.8", "gzip"},
		{"weights_with_spaces", "zstd ; q=0.5 , gzip ; q=0.4", "zstd"},
		{"refused", "gzip;q=0, zstd;q=0.0", ""},
		{"one_refused", "zstd;q=0, gzip;q=0.001", "gzip"},
		{"no_number", "gzip;q=x", ""},
		{"unknown", "br, deflate", ""},
		{"wildcard", "*", ""},
		{"identity", "identity", ""},
		{"identity_first", "identity, gzip;q=0.5", ""},
		{"identity_last", "gzip, identity;q=0.5", "gzip"},
		{"identity_as_good", "identity, gzip", "gzip"},
		{"identity_refused", "identity;q=0, gzip", "gzip"},
		{"nothing_acceptable", "identity;q=0", ""},
		{"nothing_acceptable_at_all", "*;q=0", ""},
		{"nonsense", ";;,,q=;gzip q", ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			res := do(t, http.MethodGet, url, http.Header{"Accept-Encoding": {tt.accept}}, nil)
			if got := res.header.Get("Content-Encoding"); got != tt.want || res.status != http.StatusOK {
				t.Errorf("got %d in %q", res.status, got)
			}

			if got := decode(t, tt.want, res.content); len(got) != 5000 {
				t.Errorf("got %d bytes", len(got))
			}

			if diff := cmp.Diff([]string{"Accept-Encoding"}, res.header.Values("Vary")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsCompressed(t *testing.T) {
	t.Parallel()

	text := func(size int) string { return strings.Repeat("abcdefghij", size/10+1)[:size] }

	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		chunk  int // Bytes in a write; 0: all.
		want   bool
	}{
		{"json", 200, http.Header{"Content-Type": {"application/json"}}, text(5000), 0, true},
		{"json_of_a_charset", 200, http.Header{"Content-Type": {"Application/JSON; charset=utf-8"}}, text(5000), 0, true},
		{"problem", 400, http.Header{"Content-Type": {"application/problem+json"}}, text(5000), 0, true},
		{"text", 200, http.Header{"Content-Type": {"text/csv"}}, text(5000), 0, true},
		{"type_not_said", 200, http.Header{}, text(5000), 0, true},
		{"length_said", 200, http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"5000"}}, text(5000), 100, true},
		{"many_small_writes", 200, http.Header{"Content-Type": {"application/json"}}, text(1 << 20), 7, true},
		{"limit", 200, http.Header{"Content-Type": {"text/plain"}}, text(minBytes), 0, true},
		{"limit_in_small_writes", 200, http.Header{"Content-Type": {"text/plain"}}, text(minBytes), 1, true},
		{"below_the_limit", 200, http.Header{"Content-Type": {"text/plain"}}, text(minBytes - 1), 0, false},
		{"below_the_limit_in_small_writes", 200, http.Header{"Content-Type": {"text/plain"}}, text(minBytes - 1), 1, false},
		{"small_length_said", 200, http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"999"}}, text(999), 1, false},
		{"image", 200, http.Header{"Content-Type": {"image/png"}}, text(5000), 0, false},
		{"archive", 200, http.Header{"Content-Type": {"application/zip"}}, text(5000), 0, false},
		{"bytes", 200, http.Header{"Content-Type": {"application/octet-stream"}}, text(5000), 0, false},
		{"events", 200, http.Header{"Content-Type": {"text/event-stream"}}, text(5000), 0, false},
		{"encoded", 200, http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"br"}}, text(5000), 0, false},
		{"part", 206, http.Header{"Content-Type": {"text/plain"}, "Content-Range": {"bytes 0-4999/9999"}}, text(5000), 0, false},
		{"no_content", 204, http.Header{}, "", 0, false},
		{"not_modified", 304, http.Header{}, "", 0, false},
		{"empty", 200, http.Header{"Content-Type": {"application/json"}}, "", 0, false},
	}

	for _, tt := range tests {
		for _, coding := range []string{"gzip", "zstd"} {
			t.Run(tt.name+"_"+coding, func(t *testing.T) {
				t.Parallel()

				url := serve(t, responses(t, func(w http.ResponseWriter, _ *http.Request) {
					maps.Copy(w.Header(), tt.header)
					w.Header().Set("ETag", `"v1"`)
					w.WriteHeader(tt.status)

					for rest := []byte(tt.body); len(rest) > 0; {
						n := len(rest)
						if tt.chunk > 0 {
							n = min(n, tt.chunk)
						}

						if m, err := w.Write(rest[:n]); m != n || err != nil {
							t.Errorf("wrote %d, %v", m, err)
						}

						rest = rest[n:]
					}
				}))

				wantCoding, wantTag, decoding := tt.header.Get("Content-Encoding"), `"v1"`, ""
				if tt.want {
					wantCoding, wantTag, decoding = coding, `"v1--`+coding+`"`, coding
				}

				res := do(t, http.MethodGet, url, http.Header{"Accept-Encoding": {coding}}, nil)
				if got := res.header.Get("Content-Encoding"); got != wantCoding || res.status != tt.status {
					t.Errorf("got %d in %q", res.status, got)
				}

				if got := decode(t, decoding, res.content); string(got) != tt.body {
					t.Errorf("got %d bytes", len(got))
				}

				if got := res.header.Get("ETag"); got != wantTag {
					t.Errorf("got tag %s", got)
				}

				if length := res.header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(res.content)) {
					t.Errorf("Content-Length %s for %d bytes", length, len(res.content))
				}

				// The header of HEAD is that of GET.
				head := do(t, http.MethodHead, url, http.Header{"Accept-Encoding": {coding}}, nil)
				if len(head.content) > 0 {
					t.Errorf("HEAD has content: %q", head.content)
				}

				head.header.Del("Date")
				res.header.Del("Date")

				if tt.body == "" {
					// net/http does not know whether there would be content.
					res.header.Del("Content-Length")
				}

				if diff := cmp.Diff(res.header, head.header); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A handler that knows HEAD tells the length of what is not sent, which is not that of the compressed content.
func TestHeadWithoutContentHasNoWrongLength(t *testing.T) {
	t.Parallel()

	url := serve(t, responses(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("got %s", r.Method)
		}

		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Set("Content-Length", "5000")
	}))

	for mediaType, want := range map[string]string{"application/json": "", "image/png": "5000"} {
		res := do(t, http.MethodHead, url+"?type="+mediaType, http.Header{"Accept-Encoding": {"gzip"}}, nil)
		if got := res.header.Get("Content-Length"); got != want {
			t.Errorf("%s: got %q", mediaType, got)
		}
	}
}

func TestVaryNamesAcceptEncodingOnce(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name          string
		before, inner []string
		replace       bool
		want          string
	}{
		{name: "alone", want: "Accept-Encoding"},
		{name: "after_the_edge", before: []string{"Origin"}, want: "Origin, Accept-Encoding"},
		{name: "added_again", inner: []string{"accept-encoding, Origin"}, want: "Origin, Accept-Encoding"},
		{name: "replaced", inner: []string{"Origin"}, replace: true, want: "Origin, Accept-Encoding"},
		{name: "everything", inner: []string{"*"}, want: "*"},
	}

	for _, tt := range tests {
		for _, accept := range []string{"gzip", "identity", ""} {
			for _, size := range []int{0, 10, 5000} {
				t.Run(fmt.Sprintf("%s_%s_%d", tt.name, accept, size), func(t *testing.T) {
					t.Parallel()

					h := responses(t, func(w http.ResponseWriter, _ *http.Request) {
						if tt.replace {
							w.Header().Del("Vary")
						}

						for _, field := range tt.inner {
							w.Header().Add("Vary", field)
						}

						if size > 0 {
							_, _ = w.Write(bytes.Repeat([]byte("a"), size))
						}
					})

					rec := httptest.NewRecorder()
					for _, field := range tt.before {
						rec.Header().Add("Vary", field)
					}

					r := httptest.NewRequest(http.MethodGet, "/", nil)
					r.Header.Set("Accept-Encoding", accept)
					h.ServeHTTP(rec, r)

					if diff := cmp.Diff([]string{tt.want}, rec.Result().Header["Vary"]); diff != "" {
						t.Error(diff)
					}
				})
			}
		}
	}
}

func TestTagsComeBackAsTheHandlerKnowsThem(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, sent, want string
		tag              string // Of the 304.
	}{
		{"plain", `"v1"`, `"v1"`, `"v1"`},
		{"gzip", `"v1--gzip"`, `"v1"`, `"v1--gzip"`},
		{"zstd", `"v1--zstd"`, `"v1"`, `"v1--zstd"`},
		{"weak", `W/"v1--zstd"`, `W/"v1"`, `"v1--zstd"`},
		{"list", `"v0--zstd", "v1--gzip"`, `"v0", "v1"`, `"v1--gzip"`},
		{"any", `*`, `*`, `"v1"`},
		{"of_others", `"v1-gzip", "--gzip-v1"`, `"v1-gzip", "--gzip-v1"`, `"v1"`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rec := &reqinfo.Record{Forward: map[string][]string{"if-match": {tt.sent}, "x-a": {"b"}}}
			url := serve(t, recorded(rec, responses(t, func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"If-Match", "If-None-Match"} {
					if got := r.Header.Get(name); got != tt.want {
						t.Errorf("%s: got %s", name, got)
					}
				}

				if got := r.Header.Get("If-Range"); got != tt.sent {
					t.Errorf("If-Range: got %s", got)
				}

				w.Header().Set("ETag", `"v1"`)
				w.WriteHeader(http.StatusNotModified)
			})))

			res := do(t, http.MethodGet, url, http.Header{
				"If-Match": {tt.sent}, "If-None-Match": {tt.sent}, "If-Range": {tt.sent}, "Accept-Encoding": {"zstd"},
			}, nil)
			if got := res.header.Get("ETag"); got != tt.tag {
				t.Errorf("got tag %s", got)
			}

			if diff := cmp.Diff(map[string][]string{"if-match": {tt.want}, "x-a": {"b"}}, rec.Forward); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Deadlines and flushes must find the connection through all the writers.
func TestResponseControllerReachesTheConnection(t *testing.T) {
	t.Parallel()

	for _, accept := range []string{"gzip", "zstd", "identity", ""} {
		t.Run("accept_"+accept, func(t *testing.T) {
			t.Parallel()

			url := serve(t, responses(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, end := http.NewResponseController(w), time.Now().Add(time.Minute)

				if err := conn.SetReadDeadline(end); err != nil {
					t.Error(err)
				}

				if err := conn.SetWriteDeadline(end); err != nil {
					t.Error(err)
				}

				if err := conn.EnableFullDuplex(); err != nil {
					t.Error(err)
				}

				for range 2 {
					if _, err := w.Write(bytes.Repeat([]byte("a"), 2*minBytes)); err != nil {
						t.Error(err)
					}

					if err := conn.Flush(); err != nil {
						t.Error(err)
					}
				}
			}))

			res := do(t, http.MethodGet, url, http.Header{"Accept-Encoding": {accept}}, nil)
			if got := decode(t, res.header.Get("Content-Encoding"), res.content); len(got) != 4*minBytes {
				t.Errorf("got %d bytes", len(got))
			}
		})
	}
}

// gzhttp ends the compressed content in a deferred call; the client must see all the same that the answer is not complete.
func TestPanicHalfWayBreaksOff(t *testing.T) {
	t.Parallel()

	url := serve(t, responses(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("a"), 100_000))
		panic(http.ErrAbortHandler)
	}))

	res, err := http.Get(url)
	if err != nil {
		return
	}
	defer res.Body.Close()

	if content, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("got %d bytes and no error", len(content))
	}
}

func TestResponsesRefusesNegativeSize(t *testing.T) {
	t.Parallel()

	if _, err := compress.Responses(-1); err == nil {
		t.Error("no error")
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func BenchmarkResponses(b *testing.B) {
	for _, size := range []int{200, 20_000} {
		content := []byte(strings.Repeat(`{"id":"0123","name":"Alice","tags":["a","b"]},`, size/46+1)[:size])
		next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(content)
		})

		for _, accept := range []string{"without", "identity", "gzip", "zstd"} {
			h := http.Handler(next)
			if accept != "without" {
				h = responses(b, next)
			}

			b.Run(fmt.Sprintf("%s_%d", accept, size), func(b *testing.B) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Accept-Encoding", accept)
				b.ReportAllocs()
				b.SetBytes(int64(size))

				for b.Loop() {
					h.ServeHTTP(discard{http.Header{}}, r)
				}
			})
		}
	}
}

// A page of an embedding program may stream: what it flushes is not held back, whatever the client accepts.
func TestFlushedContentIsSent(t *testing.T) {
	t.Parallel()

	for _, coding := range []string{"", "gzip", "zstd"} {
		wrap, err := compress.Responses(1024)
		if err != nil {
			t.Fatal(err)
		}

		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", coding)

		wrap(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "text/event-stream")
			_, _ = out.Write(make([]byte, 2048))
			_ = http.NewResponseController(out).Flush()

			if !w.Flushed || w.Body.Len() != 2048 {
				t.Errorf("%q: flushed %t, %d bytes", coding, w.Flushed, w.Body.Len())
			}
		})).ServeHTTP(w, r)
	}
}
