package auth_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// asked sends a request with a ticket through an Authenticator with this function, and returns the answer and the request's record.
func asked(t *testing.T, ctx context.Context, authenticate func(*http.Request) (*reqinfo.Principal, error)) (*httptest.ResponseRecorder, *reqinfo.Record) {
	t.Helper()

	background, stop := context.WithCancel(t.Context())

	a, err := auth.New(background, config.Auth{}.WithDefaults(), auth.Deps{Logger: slog.New(slog.DiscardHandler), Custom: &auth.Custom{
		Place: auth.Place{Header: "X-Ticket"}, Issuer: "own", Timeout: time.Minute, Authenticate: authenticate,
	}})
	if err != nil {
		t.Fatal(err)
	}

	defer a.Wait()
	defer stop()

	rec := &reqinfo.Record{}
	req := httptest.NewRequestWithContext(reqinfo.NewContext(ctx, rec), http.MethodPost, "/", strings.NewReader("body"))
	req.Header.Set("X-Ticket", "t")

	w := httptest.NewRecorder()
	a.Identify(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "body" || len(r.Header) != 1 {
			t.Errorf("body %q, header %v, %v", body, r.Header, err)
		}
	})).ServeHTTP(w, req)

	return w, rec
}

func waits(r *http.Request) (*reqinfo.Principal, error) {
	<-r.Context().Done()

	return nil, r.Context().Err()
}

func TestCustomThatIsTooSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()

		if w, _ := asked(t, t.Context(), waits); w.Code != http.StatusServiceUnavailable || time.Since(start) != time.Minute {
			t.Errorf("%d after %v: %s", w.Code, time.Since(start), w.Body)
		}

		// A client that hung up is not an outage.
		ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
		defer hangUp()

		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second/2, cancel)

		_, rec := asked(t, ctx, waits)
		if code, _ := rec.Outcome(); code != codes.Canceled {
			t.Errorf("code %v", code)
		}
	})
}

// What is done to the request has no effect on what goes on.
func TestCustomGetsACopy(t *testing.T) {
	t.Parallel()

	w, rec := asked(t, t.Context(), func(r *http.Request) (*reqinfo.Principal, error) {
		if body, err := io.ReadAll(r.Body); len(body) > 0 || err != nil {
			return nil, errors.New("the body is shown")
		}

		r.Header.Set("X-Ticket", "other")
		r.Header.Set("Authorization", "Bearer x")

		return &reqinfo.Principal{Subject: "alice"}, nil
	})
	if p := rec.Principal; w.Code != http.StatusOK || p.Subject != "alice" || p.Issuer != "own" {
		t.Errorf("%d %s %+v", w.Code, w.Body, p)
	}
}
