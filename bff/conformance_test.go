package bff_test

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/internal/testkit/conformance"
)

// exchanges counts all that the gateways of these tests answer, and what is not as their documents say.
var exchanges conformance.Tally

func TestMain(m *testing.M) {
	code := m.Run()

	summary, differences := exchanges.Summary()
	fmt.Fprint(os.Stderr, summary)

	if differences > 0 && code == 0 {
		code = 1
	}

	os.Exit(code)
}

// conforms has every exchange of the gateway compared with its OpenAPI document. It serves nobody yet.
func conforms(tb testing.TB, gw *bff.Gateway) *bff.Gateway {
	tb.Helper()

	document := sync.OnceValues(func() (*conformance.Checker, error) {
		text, err := gw.Document()
		if err != nil {
			return nil, err
		}

		return exchanges.Load(text)
	})

	gw.Observe(func(next http.Handler) http.Handler {
		return exchanges.Handler(next, tb.Name(), gw.Pages(), document)
	})

	return gw
}

// undescribed leaves a test out, of which the gateway is not what the document is about.
func undescribed(tb testing.TB, reason string) {
	tb.Helper()
	exchanges.Exempt(tb.Name(), reason)
}
