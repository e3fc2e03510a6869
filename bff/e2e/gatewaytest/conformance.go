package gatewaytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"sync"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/conformance"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/testhook"
)

// Exchanges counts all that the gateways of these tests answer, and what is not as their documents say.
var Exchanges conformance.Tally

// Main runs the tests of a package, which fail if an exchange was not as described.
func Main(m *testing.M) { MainThen(m, func() {}) }

// MainThen is Main, and calls a function before the process ends.
func MainThen(m *testing.M, atEnd func()) {
	code := m.Run()

	atEnd()

	summary, differences := Exchanges.Summary()
	fmt.Fprint(os.Stderr, summary)

	if differences > 0 && code == 0 {
		code = 1
	}

	os.Exit(code)
}

// described is how the document of a gateway is had, when the first of its exchanges is checked.
type described = func() (*conformance.Checker, error)

// checkedContext is for opening a gateway: the exchanges of that gateway are compared with what its OpenAPI document says. Gateways with
// the same sameAs, unless it is empty, have the same document.
func checkedContext(ctx context.Context, tb testing.TB, compiled *bff.Compiled, sameAs string) context.Context {
	tb.Helper()

	document := sync.OnceValues(func() (*conformance.Checker, error) {
		text, err := compiled.OpenAPI()
		if err != nil {
			return nil, err
		}

		return Exchanges.Load(text)
	})

	if sameAs != "" {
		first, _ := documents.LoadOrStore(sameAs, document)
		document = first.(described)
	}

	return testhook.With(ctx, func(h *testhook.Hooks) {
		h.Wrap = func(gateway http.Handler) http.Handler {
			return Exchanges.Handler(gateway, tb.Name(), notDescribed(), document)
		}
	})
}

// notDescribed are the paths of pages that are no part of the API.
func notDescribed() []string {
	return append(pages.Own(), pages.Favicon,
		session.LoginPath, session.CallbackPath, session.LogoutPath, session.StatePath, session.BackchannelPath)
}

// documents has those of gateways by what they were made of. Making them all would take longer than the tests.
var documents sync.Map

// perTest are parts of configurations that differ from test to test, and are not in the document.
var perTest = regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+|` + regexp.QuoteMeta(os.TempDir()) + `[^"]*`)

// sameAs is equal for gateways of a kind with the same document: their configurations are equal but for addresses and files. With options
// it is empty, since they cannot be compared.
func sameAs(tb testing.TB, kind string, cfg config.Config, opts ...bff.Option) string {
	tb.Helper()

	if len(opts) > 0 {
		return ""
	}

	text, err := json.Marshal(cfg)
	if err != nil {
		tb.Fatal(err)
	}

	return kind + perTest.ReplaceAllString(string(text), "X")
}

// Open is Open of a gateway whose exchanges are checked.
func Open(ctx context.Context, tb testing.TB, compiled *bff.Compiled) (*bff.Gateway, error) {
	tb.Helper()

	return compiled.Open(checkedContext(ctx, tb, compiled, ""))
}

// New is bff.New of a gateway whose exchanges are checked.
func New(ctx context.Context, tb testing.TB, cfg config.Config, opts ...bff.Option) (*bff.Gateway, error) {
	tb.Helper()

	compiled, err := bff.Compile(onBusyMachine(cfg), opts...)
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
