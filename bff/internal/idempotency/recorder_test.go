package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestWhichAnswersAreKept(t *testing.T) {
	t.Parallel()

	kept := map[int]bool{
		200: true, 201: true, 204: true, 303: true, 400: true, 404: true, 412: true, 422: true,
		401: false, 403: false, 408: false, 409: false, 425: false, 429: false, 500: false, 501: false, 503: false, 504: false,
	}

	for status, want := range kept {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()

			next, h := handled(func(w http.ResponseWriter, r *http.Request) {
				if status < http.StatusBadRequest {
					w.WriteHeader(status)
				} else {
					problem.Write(w, r, problem.WithStatus(status, codes.NotFound, "d"), errors.New("cause"))
				}
			})

			call{}.to(t, h)

			rec := ada()
			wantStatus(t, call{rec: rec}.to(t, h), status, want)

			if want {
				next.want(t, 1)
			} else {
				next.want(t, 2)
			}

			if code, cause := rec.Outcome(); status >= http.StatusBadRequest && (code != codes.NotFound || want && cause != nil) {
				t.Errorf("record: %s, %v", code, cause)
			}
		})
	}
}

// A page without a part is not the response for a day, unless something was written for it.
func TestPartialAnswersOfReadsAreNotKept(t *testing.T) {
	t.Parallel()

	for _, readOnly := range []bool{false, true} {
		t.Run(strconv.FormatBool(readOnly), func(t *testing.T) {
			t.Parallel()

			h := idempotency.New(idempotency.NewMemory(64 << 20)).Route(idempotency.Rule{RPC: rpc, ReadOnly: readOnly, TTL: time.Hour})(
				http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					reqinfo.From(r.Context()).Miss("orders", errors.New("down"))
				}))

			call{}.to(t, h)
			wantStatus(t, call{}.to(t, h), http.StatusOK, !readOnly)
		})
	}
}

func TestPanicFreesTheKeyAndGoesOn(t *testing.T) {
	t.Parallel()

	for _, value := range []any{"oops", http.ErrAbortHandler} {
		next, h := handled(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			panic(value)
		})

		for range 2 {
			func() {
				defer func() {
					if got := recover(); got != value {
						t.Errorf("got %v, want %v", got, value)
					}
				}()

				call{}.to(t, h)
			}()
		}

		next.want(t, 2)
	}
}

func TestReplayHasTheHeadersOfTheHandlerOnly(t *testing.T) {
	t.Parallel()

	n := 0

	_, h := handled(func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "max-age=60")
		header.Add("Vary", "Accept")
		header.Set("Etag", `"1"`)
		header["Link"] = []string{"</1>", "</2>"}
		header.Set("Set-Cookie", "a=b")
		header.Set("Trailer", "Grpc-Trailer-A")
		header.Set("Date", "then")
		header.Set("Content-Length", "2")
		w.WriteHeader(http.StatusCreated)
		header.Set("Grpc-Trailer-A", "late")
		_, _ = w.Write([]byte("{}"))
	})

	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		header := w.Header()
		header.Set("X-Request-Id", strconv.Itoa(n))
		header.Set("Ratelimit-Remaining", strconv.Itoa(9-n))
		header.Set("Cache-Control", "no-store")
		header.Add("Vary", "Origin")
		h.ServeHTTP(w, r)
	})

	call{}.to(t, outer)

	for _, number := range []string{"2", "3"} {
		want := http.Header{
			"X-Request-Id": {number}, "Ratelimit-Remaining": {strconv.Itoa(9 - n - 1)}, "Cache-Control": {"max-age=60"},
			"Vary": {"Origin", "Accept"}, "Content-Type": {"application/json"}, "Etag": {`"1"`}, "Link": {"</1>", "</2>"},
			"Idempotency-Replayed": {"true"},
		}

		w := call{}.to(t, outer)
		if diff := cmp.Diff(want, w.Header()); diff != "" {
			t.Error(diff)
		}

		// What an outer layer does to the answer is not done to the one that is kept.
		w.Header()["Link"][0] = "changed"
	}
}

func TestResponseThatIsTooLargeIsNotRepeated(t *testing.T) {
	t.Parallel()

	const most = idempotency.MaxResponse

	tests := []struct {
		name   string
		status int
		header int
		writes []int
		want   int
		detail string
	}{
		{"as_large_as_may_be", 200, 0, []int{most}, 200, ""},
		{"in_parts", 200, 0, []int{most / 2, most / 2}, 200, ""},
		{"too_large", 201, 0, []int{most + 1}, 409, "the first request with this Idempotency-Key succeeded with status 201, " +
			"but its response is too large to be repeated"},
		{"too_large_in_parts", 201, 0, []int{most, 1, 1}, 409, "the first request with this Idempotency-Key succeeded with status 201, " +
			"but its response is too large to be repeated"},
		{"too_large_headers", 201, most, []int{0}, 409, "the first request with this Idempotency-Key succeeded with status 201, " +
			"but its response is too large to be repeated"},
		{"too_large_refusal", 404, 0, []int{most + 1}, 409, "the first request with this Idempotency-Key was refused with status 404, " +
			"but its response is too large to be repeated"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			total := 0

			next, h := handled(func(w http.ResponseWriter, _ *http.Request) {
				if tt.header > 0 {
					w.Header().Set("X-Large", string(make([]byte, tt.header)))
				}

				w.WriteHeader(tt.status)

				for _, size := range tt.writes {
					n, err := w.Write(make([]byte, size))
					if err != nil || n != size {
						t.Errorf("wrote %d: %v", n, err)
					}

					total += n
				}
			})

			w := call{}.to(t, h)
			wantStatus(t, w, tt.status, false)

			if w.Body.Len() != total {
				t.Errorf("passed on %d bytes of %d", w.Body.Len(), total)
			}

			w = call{}.to(t, h)
			wantStatus(t, w, tt.want, tt.want == tt.status)
			next.want(t, 1)

			if tt.detail != "" {
				if p := document(t, w); p.Detail != tt.detail || p.Code != "ABORTED" || w.Header().Get("Retry-After") != "" {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestAnswerWithoutRoomIsNotMadeTwice(t *testing.T) {
	t.Parallel()

	next, h := over(idempotency.NewMemory(1000), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) })

	wantStatus(t, call{}.to(t, h), http.StatusOK, false)

	w := call{}.to(t, h)
	wantStatus(t, w, http.StatusConflict, false)
	next.want(t, 1)

	if p := document(t, w); !strings.Contains(p.Detail, "too large to be repeated") {
		t.Error(p.Detail)
	}
}

func TestBodyThatCannotBeRead(t *testing.T) {
	t.Parallel()

	next, h := handled(create)
	cause := errors.New("connection reset")

	tests := []struct {
		name     string
		exceeded bool
		deadline time.Duration
		want     int
		detail   string
	}{
		{"broken", false, time.Hour, http.StatusBadRequest, "the body could not be read"},
		{"too_large", true, time.Hour, http.StatusRequestEntityTooLarge, "the request body is larger than 64 bytes"},
		{"too_slow", false, -1, http.StatusGatewayTimeout, "the response did not come in time"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
			defer cancel()

			rec := ada()
			rec.BodyLimit, rec.BodyExceeded = 64, tt.exceeded
			r := call{rec: rec}.request(ctx)
			r.Body = io.NopCloser(iotest.ErrReader(cause))

			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			wantStatus(t, w, tt.want, false)
			next.want(t, 0)

			if p := document(t, w); p.Detail != tt.detail {
				t.Error(p.Detail)
			}

			if _, got := rec.Outcome(); !errors.Is(got, cause) {
				t.Errorf("record: %v", got)
			}
		})
	}
}

// The answer reaches a client over a real connection as it is written, and so does what comes before it.
func TestAnswerIsPassedOnAsItIsWritten(t *testing.T) {
	t.Parallel()

	read := make(chan struct{})
	next, h := handled(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)

		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}

		_, _ = w.Write([]byte("a"))
		w.(http.Flusher).Flush()

		select {
		case <-read:
		case <-time.After(time.Minute):
			t.Error("nothing came through")
		}

		_, _ = w.Write([]byte("b"))
	})

	server := httptest.NewServer(h)
	t.Cleanup(server.Close)

	for i := range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader([]byte("{}")))
		if err != nil {
			t.Fatal(err)
		}

		r.Header.Set(idempotency.Header, "k")

		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}

		defer resp.Body.Close()

		var one [1]byte
		if _, err := io.ReadFull(resp.Body, one[:]); err != nil {
			t.Fatal(err)
		}

		if i == 0 {
			close(read)
		}

		rest, err := io.ReadAll(resp.Body)
		if got := string(one[:]) + string(rest); got != "ab" || err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%d %q, %v", resp.StatusCode, got, err)
		}
	}

	next.want(t, 1)
}

func BenchmarkReplay(b *testing.B) {
	_, h := handled(create)
	call{}.to(b, h)
	b.ReportAllocs()

	for b.Loop() {
		call{}.to(b, h)
	}
}
