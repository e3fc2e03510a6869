package edge_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPanicBeforeTheAnswerIsAProblem(t *testing.T) {
	t.Parallel()

	e := newEdge()
	url := e.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		panic("password is hunter2")
	})

	// The process is alive, and so is the connection.
	for range 2 {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}

		text := body(t, resp)
		_ = resp.Body.Close()

		if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(text, `"code":"INTERNAL"`) ||
			strings.Contains(text, "hunter2") {
			t.Errorf("got %d %s", resp.StatusCode, text)
		}
	}

	panics, requests := e.lines(t, "panic"), e.lines(t, "request")
	if len(panics) != 2 || len(requests) != 2 {
		t.Fatalf("the log has %d panics and %d requests", len(panics), len(requests))
	}

	if panics[0]["panic"] != "password is hunter2" || panics[0]["request_id"] != requests[0]["request_id"] ||
		!strings.Contains(panics[0]["stack"].(string), "begin_test.go") || panics[0]["level"] != "ERROR" {
		t.Errorf("got %v", panics[0])
	}

	// Once the access log said 500 and OK.
	if requests[0]["status"] != 500.0 || requests[0]["code"] != "INTERNAL" || requests[0]["level"] != "ERROR" {
		t.Errorf("got %v", requests[0])
	}
}

// A client must not take what came before the panic for a complete answer.
func TestPanicAfterTheAnswerBeganBreaksOff(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		value any
		// logged reports whether the panic is one that someone should see.
		logged bool
	}{
		{"any_panic", "half way", true},
		{"deliberate_abort", http.ErrAbortHandler, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			url := e.serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/fine" {
					ok(w, r)

					return
				}

				_, _ = io.WriteString(w, `{"orders":[`)
				_ = http.NewResponseController(w).Flush()

				panic(tt.value)
			})

			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}

			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()

			if !errors.Is(err, io.ErrUnexpectedEOF) || string(text) != `{"orders":[` {
				t.Errorf("got %q, %v; want an answer that is visibly cut off", text, err)
			}

			next, err := http.Get(url + "/fine")
			if err != nil {
				t.Fatalf("the next request: %v", err)
			}

			defer next.Body.Close()

			if got := body(t, next); got != "fine" {
				t.Errorf("the next request: got %q", got)
			}

			if got := len(e.lines(t, "panic")) == 1; got != tt.logged {
				t.Errorf("the panic is logged: %t", got)
			}

			if line := e.lines(t, "request")[0]; line["status"] != 500.0 || line["code"] != "INTERNAL" {
				t.Errorf("got %v", line)
			}
		})
	}
}

func TestAbortBeforeTheAnswerIsPassedOn(t *testing.T) {
	t.Parallel()

	defer func() {
		//nolint:errorlint // net/http compares with ==.
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("got %v", v)
		}
	}()

	newEdge().do(get("/"), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}
