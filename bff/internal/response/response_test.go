package response_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/response"
)

// layer is a writer that embeds a Writer.
type layer struct {
	response.Writer

	seen []int
}

func (l *layer) BeforeHeader(_ *http.Request, header http.Header, status int) int {
	l.seen = append(l.seen, status)
	header.Set("X-Layer", "yes")

	if status == http.StatusOK {
		return http.StatusCreated
	}

	return status
}

func wrap(next http.ResponseWriter) *layer {
	l := &layer{}
	l.Writer = response.New(next, nil, l)

	return l
}

func TestHookCompletesTheFinalResponse(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		handle func(w *layer)
		status int
		seen   []int
		body   string
	}{
		{"status", func(w *layer) { w.WriteHeader(http.StatusNotFound) }, http.StatusNotFound, []int{http.StatusNotFound}, ""},
		{"changed_status", func(w *layer) { w.WriteHeader(http.StatusOK) }, http.StatusCreated, []int{http.StatusOK}, ""},
		{"implied_by_the_body", func(w *layer) { _, _ = w.Write([]byte("a")) }, http.StatusCreated, []int{http.StatusOK}, "a"},
		{"implied_by_a_flush", func(w *layer) { w.Flush() }, http.StatusCreated, []int{http.StatusOK}, ""},
		{"flush_of_a_controller", func(w *layer) { _ = http.NewResponseController(w).Flush() }, http.StatusCreated, []int{http.StatusOK}, ""},
		{"once", func(w *layer) {
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("b"))
			w.Finish()
		}, http.StatusTeapot, []int{http.StatusTeapot}, "b"},
		{"behind_a_hint", func(w *layer) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
		}, http.StatusAccepted, []int{http.StatusAccepted}, ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			out := &hinted{ResponseRecorder: httptest.NewRecorder()}
			l := wrap(out)
			tt.handle(l)

			if out.Code != tt.status || l.Status() != tt.status || out.Body.String() != tt.body || out.Header().Get("X-Layer") != "yes" {
				t.Errorf("got %d %q %v, status %d", out.Code, out.Body, out.Header(), l.Status())
			}

			if diff := cmp.Diff(tt.seen, l.seen); diff != "" {
				t.Error(diff)
			}

			if strings.Contains(tt.name, "flush") != (l.Flushed() && out.Flushed) {
				t.Errorf("flushed: %t, %t", l.Flushed(), out.Flushed)
			}

			if hints := tt.name == "behind_a_hint"; hints != slices.Equal(out.hints, []int{http.StatusEarlyHints}) {
				t.Errorf("hints %d", out.hints)
			}
		})
	}
}

// hinted is a recorder that tells informational responses from others, as net/http does.
type hinted struct {
	*httptest.ResponseRecorder

	hints []int
}

func (h *hinted) WriteHeader(status int) {
	if status < http.StatusOK {
		h.hints = append(h.hints, status)

		return
	}

	h.ResponseRecorder.WriteHeader(status)
}

func TestFinishLeavesTheHeaderToTheServer(t *testing.T) {
	t.Parallel()

	outer := wrap(httptest.NewRecorder())
	inner := wrap(outer)
	inner.Finish()

	if outer.Status() != 0 || inner.Header().Get("X-Layer") != "yes" || len(inner.seen) != 1 {
		t.Errorf("outer %d, header %v, hook %d", outer.Status(), inner.Header(), inner.seen)
	}
}

func TestRecorderKeepsWhatBegan(t *testing.T) {
	t.Parallel()

	for _, passing := range []bool{false, true} {
		out := httptest.NewRecorder()

		rec := response.Record(nil, 0)
		if passing {
			rec = response.Record(out, 0)
		}

		rec.Header().Set("A", "1")
		rec.WriteHeader(http.StatusEarlyHints)
		_, _ = rec.Write([]byte("bo"))
		rec.Header().Set("A", "too late")
		_, _ = rec.Write([]byte("dy"))

		if rec.Status() != http.StatusOK || rec.Sent().Get("A") != "1" || string(rec.Body()) != "body" || rec.Truncated() {
			t.Errorf("got %d %v %q", rec.Status(), rec.Sent(), rec.Body())
		}

		if got := out.Body.String(); passing != (got == "body") {
			t.Errorf("passed on %q", got)
		}
	}
}

func TestRecorderKeepsNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()

	out := httptest.NewRecorder()
	rec := response.Record(out, 5)

	for i, piece := range []string{"abc", "de", "fgh", "i"} {
		if n, err := rec.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Errorf("write: %d, %v", n, err)
		}

		if rec.Truncated() != (i > 1) {
			t.Errorf("truncated after %d: %t", i, rec.Truncated())
		}
	}

	if string(rec.Body()) != "abcde" || out.Body.String() != "abcdefghi" {
		t.Errorf("got %q, passed on %q", rec.Body(), out.Body)
	}
}

func TestRecorderWithoutResponse(t *testing.T) {
	t.Parallel()

	rec := response.Record(nil, 0)
	if rec.Status() != 0 || rec.Sent() != nil {
		t.Errorf("got %d %v", rec.Status(), rec.Sent())
	}

	if err := http.NewResponseController(rec).Flush(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("flush: %v", err)
	}
}

// counter is the writer that counts what waits.
type counter struct {
	http.ResponseWriter

	held int
}

func (c *counter) Hold(size int) func() {
	c.held += size

	return func() { c.held -= size }
}

func TestHold(t *testing.T) {
	t.Parallel()

	const large = response.Unblocking + 1

	c := &counter{ResponseWriter: httptest.NewRecorder()}

	for _, w := range []http.ResponseWriter{c, wrap(wrap(c))} {
		release := response.Hold(w, large)
		if c.held != large {
			t.Errorf("held %d", c.held)
		}

		release()

		if response.Hold(w, response.Unblocking)(); c.held != 0 {
			t.Errorf("held %d", c.held)
		}
	}

	response.Hold(httptest.NewRecorder(), large)()
}

// named is a hook that says that it ran.
type named string

func (n named) BeforeHeader(r *http.Request, header http.Header, status int) int {
	header.Add("Ran", string(n)+" "+r.Method)

	return status + 1
}

func TestWithAddsHooks(t *testing.T) {
	t.Parallel()

	// More than a Writer has room for.
	hooks := []named{"a", "b", "c", "d", "e", "f", "g", "h"}
	want := []string{"h GET", "g GET", "f GET", "e GET", "d GET", "c GET", "b GET", "a GET"}

	for _, written := range []bool{true, false} {
		out := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		w := http.ResponseWriter(out)

		var finish []func()

		for _, hook := range hooks {
			next, done := response.With(w, r, hook)
			w, finish = next, append(finish, done)
		}

		if written {
			w.WriteHeader(http.StatusOK)
		}

		for _, done := range slices.Backward(finish) {
			done()
		}

		if diff := cmp.Diff(want, out.Header()["Ran"]); diff != "" {
			t.Errorf("written: %t: %s", written, diff)
		}

		if written && out.Code != http.StatusOK+len(hooks) {
			t.Errorf("got %d", out.Code)
		}
	}
}

func TestWithTakesTheWriterThatIsThere(t *testing.T) {
	t.Parallel()

	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	outer := response.New(httptest.NewRecorder(), r, nil)

	first, _ := response.With(&outer, r, named("a"))
	if first != response.Hooked(&outer) {
		t.Error("it is wrapped")
	}

	if _, err := first.Write([]byte("body")); err != nil || outer.Size() != len("body") || outer.Status() != http.StatusCreated {
		t.Errorf("%v; size %d, status %d", err, outer.Size(), outer.Status())
	}
}

func TestLazilyWrapsForLargeWritesAlone(t *testing.T) {
	t.Parallel()

	for size, want := range map[int]int{response.Unblocking: 0, response.Unblocking + 1: 1} {
		wrapped := 0
		w := response.Lazily(httptest.NewRecorder(), nil, func(next http.ResponseWriter, _ *http.Request) http.ResponseWriter {
			wrapped++
			return next
		})

		for range 2 {
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Error(err)
			}
		}

		if wrapped != want {
			t.Errorf("%d bytes: wrapped %d times", size, wrapped)
		}
	}
}
