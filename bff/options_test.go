package bff_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/gen"
)

// What is missing in an option, or contradicts the configuration, is refused with the option's name.
func TestNewRefusesOptions(t *testing.T) {
	t.Parallel()

	hook := func(*http.Request, *bff.Problem) {}

	for want, opts := range map[string][]bff.Option{
		"option 1 is nil": {nil},
		"WithHandlers: the register function is nil":                                 {bff.WithHandlers("shelf", nil, "shelf.v1.ShelfService")},
		"WithComposite: the register function is nil":                                {bff.WithComposite(nil, func(bff.Connect) (any, error) { return 0, nil })},
		"WithComposite: the build function is nil":                                   {bff.WithComposite(func(grpc.ServiceRegistrar, any) {}, nil)},
		"WithDefaultPolicy: the policy is nil":                                       {bff.WithDefaultPolicy(nil)},
		"WithMuxOptions: option 2: is nil":                                           {bff.WithMuxOptions(runtime.WithMiddlewares(), nil)},
		"option 1: runtime.WithMetadata has no":                                      {bff.WithMuxOptions(runtime.WithMetadata(nil))},
		"runtime.WithErrorHandler has no effect: use bff.WithPro":                    {bff.WithMuxOptions(runtime.WithErrorHandler(runtime.DefaultHTTPErrorHandler))},
		"WithLogger: the logger is nil":                                              {bff.WithLogger(nil)},
		"WithDroppedLogLines: the function is nil":                                   {bff.WithDroppedLogLines(nil)},
		"WithAdminMiddleware: middleware 1 is nil":                                   {bff.WithAdminMiddleware(nil)},
		"WithAdminMiddleware: the handler made by middleware 1 is nil":               {bff.WithAdminMiddleware(func(http.Handler) http.Handler { return nil })},
		"WithPage: the handler for /x is nil":                                        {bff.WithPage("/x", http.HandlerFunc(nil))},
		"WithListening: the function is nil":                                         {bff.WithListening(nil)},
		"WithMetrics: the registerer is nil":                                         {bff.WithMetrics(nil)},
		"WithTracerProvider: is given more than once":                                {bff.WithTracerProvider(noop.NewTracerProvider()), bff.WithTracerProvider(noop.NewTracerProvider())},
		"WithMetrics: is given more than once":                                       {bff.WithMetrics(prometheus.NewRegistry()), bff.WithMetrics(prometheus.NewRegistry())},
		"WithMiddleware: middleware 2 is nil":                                        {bff.WithMiddleware(func(next http.Handler) http.Handler { return next }, nil)},
		"WithMiddleware: the handler made by middleware 1 is nil":                    {bff.WithMiddleware(func(http.Handler) http.Handler { return nil })},
		"WithProblemHook: the hook is nil":                                           {bff.WithProblemHook(nil)},
		"WithProblemHook: is given more than once":                                   {bff.WithProblemHook(hook), bff.WithProblemHook(hook)},
		`WithDialOptions: upstream "nowhere" is not configured; known are ["shelf"]`: {bff.WithDialOptions("nowhere", grpc.WithUserAgent("x"))},
		`WithDialOptions: upstream "shelf": option 1: is nil`:                        {bff.WithDialOptions("shelf", nil)},
		`upstream "shelf": option 2: grpc.WithDisableRetry is refused`:               {bff.WithDialOptions("shelf", grpc.WithUserAgent("x"), grpc.WithDisableRetry())},
		"it would have no effect, since auth.disabled is on":                         {authenticator("n", "X-N")},
	} {
		refused(t, config.Config{
			Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{"127.0.0.1:1"}}},
		}, want, append([]bff.Option{quiet()}, opts...)...)
	}
}

// refused expects New to refuse, for one reason.
func refused(t *testing.T, cfg config.Config, want string, opts ...bff.Option) {
	t.Helper()

	if want == "option 1 is nil" {
		want, opts = "option 2 is nil", opts[:2]
	}

	_, err := bff.New(t.Context(), cfg, opts...)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("want %q: %v", want, err)
	}
}

func nobodyAtAll(*http.Request) (*bff.Principal, error) {
	return nil, nil //nolint:nilnil // It is none of the program's.
}

func authenticator(name, header string) bff.Option {
	return bff.WithAuthenticator(bff.Authenticator{
		Name: name, Header: header, Authenticate: nobodyAtAll,
	})
}

func TestNewRefusesAuthenticators(t *testing.T) {
	t.Parallel()

	ask := nobodyAtAll

	for _, row := range []struct {
		want          string
		change        func(*config.Config)
		authenticator bff.Authenticator
	}{
		{"Authenticate is nil", nil, bff.Authenticator{Name: "n", Header: "X-N"}},
		{"Name must be", nil, bff.Authenticator{Header: "X-N", Authenticate: ask}},
		{"none of bearer, apiKey, certificate", nil, bff.Authenticator{Name: "bearer", Header: "X-N", Authenticate: ask}},
		{"needs one of Header, Cookie and Scheme", nil, bff.Authenticator{Name: "n", Authenticate: ask}},
		{"needs one of Header, Cookie and Scheme", nil, bff.Authenticator{Name: "n", Header: "X-N", Cookie: "n", Authenticate: ask}},
		{"Header must be letters", nil, bff.Authenticator{Name: "n", Header: "X N", Authenticate: ask}},
		{"use Scheme", nil, bff.Authenticator{Name: "n", Header: "authorization", Authenticate: ask}},
		{"use Cookie", nil, bff.Authenticator{Name: "n", Header: "COOKIE", Authenticate: ask}},
		{"Header cannot be host", nil, bff.Authenticator{Name: "n", Header: "host", Authenticate: ask}},
		{"Challenge must be", nil, bff.Authenticator{Name: "n", Header: "X-N", Challenge: "a\r\nb", Authenticate: ask}},
		{
			"headers.request[0]: x-n carries credentials", func(c *config.Config) { c.Headers.Request = []string{"x-n"} },
			bff.Authenticator{Name: "n", Header: "X-N", Authenticate: ask},
		},
		{
			"headers.request[0]: Cookie carries credentials", func(c *config.Config) { c.Headers.Request = []string{"Cookie"} },
			bff.Authenticator{Name: "n", Cookie: "n", Authenticate: ask},
		},
		{
			"Header X-N carries API keys", func(c *config.Config) { c.Auth.APIKeys = config.APIKeys{File: "f", Header: "x-n"} },
			bff.Authenticator{Name: "n", Header: "X-N", Authenticate: ask},
		},
		{
			"from Idempotency-Key, which carries credentials",
			func(c *config.Config) {
				c.Upstreams = map[string]config.Upstream{"user": {Addresses: []string{"127.0.0.1:1"}}}
			},
			bff.Authenticator{Name: "n", Header: "Idempotency-key", Authenticate: ask},
		},
	} {
		cfg := config.Config{}
		if row.change != nil {
			row.change(&cfg)
		}

		opts := []bff.Option{quiet(), bff.WithAuthenticator(row.authenticator)}
		if len(cfg.Upstreams) > 0 {
			opts = append(opts, bff.WithServices(slices.DeleteFunc(gen.Services(), func(s bff.Service) bool { return s.Name != "user.v1.UserService" })...))
		}

		refused(t, cfg, row.want, opts...)
	}

	refused(t, config.Config{}, "WithAuthenticator: is given more than once", quiet(), authenticator("a", "X-A"), authenticator("b", "X-B"))
}

// docs/options.md has a row for every option, and none for what is not one.
func TestOptionsAreDocumented(t *testing.T) {
	t.Parallel()

	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}

	var exported []string

	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}

		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}

		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Type.Results != nil && len(f.Type.Results.List) == 1 {
				if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Option" && f.Name.IsExported() {
					exported = append(exported, f.Name.Name)
				}
			}
		}
	}

	text, err := os.ReadFile("../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}

	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(With[A-Za-z]+)").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, row[1])
	}

	slices.Sort(exported)
	slices.Sort(rows)

	if len(exported) == 0 || !slices.Equal(rows, exported) {
		t.Errorf("docs/options.md has rows for\n%q, options are\n%q", rows, exported)
	}
}
