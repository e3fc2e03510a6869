package gatewaytest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	"github.com/portico-gateway/portico/bff/e2e/conformance"
)

// Exchanges counts all that the gateways of these tests answer, and what is not as their documents say.
var Exchanges conformance.Tally

func Main(m *testing.M) {
	code := m.Run()

	summary, differences := Exchanges.Summary()
	fmt.Fprint(os.Stderr, summary)

	if differences > 0 && code == 0 {
		code = 1
	}

	os.Exit(code)
}

// checkedContext is for opening a gateway: the exchanges of that gateway are compared with what its OpenAPI document says.
func checkedContext(ctx context.Context, tb testing.TB, compiled *bff.Compiled) context.Context {
	tb.Helper()

	document := sync.OnceValues(func() (*conformance.Checker, error) {
		text, err := compiled.OpenAPI()
		if err != nil {
			return nil, err
		}

		return Exchanges.Load(text)
	})

	return testhook.With(ctx, func(h *testhook.Hooks) {
		h.Wrap = func(gateway http.Handler) http.Handler {
			return Exchanges.Handler(gateway, tb.Name(), append(pages.Own(), pages.Favicon), document)
		}
	})
}

// Open is Open of a gateway whose exchanges are checked.
func Open(ctx context.Context, tb testing.TB, compiled *bff.Compiled) (*bff.Gateway, error) {
	tb.Helper()

	return compiled.Open(checkedContext(ctx, tb, compiled))
}

// New is bff.New of a gateway whose exchanges are checked.
func New(ctx context.Context, tb testing.TB, cfg config.Config, opts ...bff.Option) (*bff.Gateway, error) {
	tb.Helper()

	compiled, err := bff.Compile(cfg, opts...)
	if err != nil {
		return nil, err
	}

	return Open(ctx, tb, compiled)
}

// Exempt leaves the exchanges of a test out, since the document does not describe what its gateway does.
func Exempt(tb testing.TB, reason string) {
	tb.Helper()
	Exchanges.Exempt(tb.Name(), reason)
}

// WithPage is bff.WithPage of a page that is no part of the API.
func WithPage(tb testing.TB, path string, handler http.Handler, methods ...string) bff.Option {
	tb.Helper()
	Exchanges.Page(tb.Name(), path)

	return bff.WithPage(path, handler, methods...)
}
