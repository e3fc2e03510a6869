package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/portico-gateway/portico"

// importRule forbids imports outside of tests. Packages are patterns as of the go command, relative to the module for those of ours.
type importRule struct {
	name   string
	reason string
	// of are the packages that the rule is for, without those in but.
	of, but []string
	// not are the packages that they may not import, without those in only.
	not, only []string
	// broken is an import that breaks the rule, to show that it can fail.
	broken [2]string
}

// foundations know nothing of the request's way through the gateway.
var foundations = []string{
	"bff/internal/digest", "bff/internal/filewatch", "bff/internal/hint", "bff/internal/httpfield", "bff/internal/protojson", "bff/internal/policy/...", "bff/internal/problem", "bff/internal/redis",
	"bff/internal/reqinfo", "bff/internal/resource", "bff/internal/response", "bff/internal/schema/...", "bff/internal/secret",
	"bff/internal/tracing", "bff/internal/yamldoc",
}

// features are what a request meets on its way. They never import one another, so that each can be left out or replaced.
var features = []string{
	"bff/internal/auth", "bff/internal/cache", "bff/internal/gateway/compress", "bff/internal/idempotency", "bff/internal/limit",
	"bff/internal/upstream",
}

func featureRules() []importRule {
	rules := make([]importRule, 0, len(features))

	for i, feature := range features {
		r := importRule{
			name:   path.Base(feature) + "_is_independent",
			reason: "features never import one another, so that each can be left out or replaced",
			of:     []string{feature + "/..."}, only: []string{feature + "/..."},
			broken: [2]string{feature, features[(i+2)%len(features)]},
		}

		for _, other := range features {
			r.not = append(r.not, other+"/...")
		}

		rules = append(rules, r)
	}

	return rules
}

func importRules() []importRule {
	return append(featureRules(), []importRule{
		{
			name:   "gen_imports_nothing_of_ours",
			reason: "generated code depends on proto/ alone, so that everything else may depend on it",
			of:     []string{"gen/..."}, not: []string{"..."}, only: []string{"gen/..."},
			broken: [2]string{"gen/user/v1", "bff"},
		},
		{
			name:   "backends_do_not_know_the_gateway",
			reason: "backends and bff meet only in gen/; a backend must be able to move to a repository of its own",
			of:     []string{"backends/..."}, not: []string{"bff/..."},
			broken: [2]string{"backends/internal/user", "bff/internal/problem"},
		},
		{
			name:   "the_gateway_does_not_know_the_backends",
			reason: "backends and bff meet only in gen/; commands alone put them together",
			of:     []string{"bff/..."}, but: []string{"bff/cmd/..."}, not: []string{"backends/..."},
			broken: [2]string{"bff", "backends"},
		},
		{
			name:   "httpfield_knows_nothing_of_ours",
			reason: "it is the grammar of HTTP fields, which everything may use",
			of:     []string{"bff/internal/httpfield"}, not: []string{"..."},
			broken: [2]string{"bff/internal/httpfield", "bff/internal/problem"},
		},
		{
			name:   "only_observe_knows_the_metrics_registry",
			reason: "other packages say what happened through an interface of theirs; how it is counted is decided in one place",
			// An option of bff takes the registry of an embedding program.
			of: []string{"..."}, but: []string{"bff", "bff/internal/observe"}, not: []string{"github.com/prometheus/..."},
			broken: [2]string{"bff/internal/upstream", "github.com/prometheus/client_golang/prometheus"},
		},
		{
			name:   "only_tracing_knows_the_api_of_opentelemetry",
			reason: "other packages say what they do in words of ours; what spans are called and say is decided in one place",
			// An option of bff takes the provider of an embedding program.
			of: []string{"..."}, but: []string{"bff", "bff/internal/observe", "bff/internal/tracing", "bff/internal/testkit/oteltest"},
			not:    []string{"go.opentelemetry.io/..."},
			broken: [2]string{"bff/internal/upstream", "go.opentelemetry.io/otel/trace"},
		},
		{
			name:   "only_observe_knows_the_sdk_of_opentelemetry",
			reason: "where spans go is decided in one place",
			of:     []string{"..."}, but: []string{"bff/internal/observe"},
			not:    []string{"go.opentelemetry.io/otel/sdk/...", "go.opentelemetry.io/otel/exporters/..."},
			broken: [2]string{"bff/internal/tracing", "go.opentelemetry.io/otel/sdk/trace"},
		},
		{
			name:   "only_the_stores_know_redis",
			reason: "it is opened, and kept from being waited for, in one place; what is kept there is a store like any other",
			of:     []string{"..."},
			but: []string{
				"bff/internal/cache/rediscache", "bff/internal/idempotency/redisidempotency", "bff/internal/limit/redislimit",
				"bff/internal/redis/...",
			},
			not:    []string{"github.com/redis/..."},
			broken: [2]string{"bff/internal/limit", "github.com/redis/go-redis/v9"},
		},
		{
			name:   "foundations_import_no_layer_above",
			reason: "arrows point down: what every layer uses may use none of them",
			// The configuration is data, and whatever is configured takes its types.
			of: foundations, not: []string{"..."}, only: append([]string{"gen/...", "bff/config"}, foundations...),
			broken: [2]string{"bff/internal/policy", "bff/internal/gateway"},
		},
		{
			name:   "edge_knows_no_routes",
			reason: "it is the same for every request; what it and the gateway both need is in a package below them",
			of:     []string{"bff/internal/edge/..."}, not: []string{"bff/internal/gateway/..."},
			broken: [2]string{"bff/internal/edge", "bff/internal/gateway"},
		},
		{
			name:   "gateway_knows_no_connections",
			reason: "a route is served the same way whatever the connection; what it and the edge both need is in a package below them",
			of:     []string{"bff/internal/gateway/..."}, not: []string{"bff/internal/edge/..."},
			broken: [2]string{"bff/internal/gateway", "bff/internal/edge/connection"},
		},
		{
			name:   "composites_are_product_code",
			reason: "a composite is an ordinary service: it gets clients and gives answers, and the way of a request is none of its business",
			// The list of composites is what the gateway is told of them.
			of: []string{"bff/composite/..."}, but: []string{"bff/composite/all"}, not: []string{"bff/..."},
			// The kit counts its goroutines, so that calls are put into batches, and makes a span of each branch.
			only: []string{
				"bff/composite/...", "bff/internal/problem", "bff/internal/reqinfo", "bff/internal/upstream/passthrough",
				"bff/internal/upstream/inproc/scope", "bff/internal/tracing",
			},
			broken: [2]string{"bff/composite/dashboard", "bff/internal/upstream"},
		},
		{
			name:   "config_is_data",
			reason: "embedding programs and commands fill it in, and components take its types: what it means is decided there",
			of:     []string{"bff/config"}, not: []string{"..."}, only: []string{"bff/internal/hint", "bff/internal/yamldoc"},
			broken: [2]string{"bff/config", "bff/internal/auth"},
		},
		{
			name:   "a_request_meets_no_tool",
			reason: "what only commands use may be large and slow, and is not written for input of strangers",
			of:     []string{"bff/..."}, but: []string{"bff/cmd/...", "bff/e2e/...", "bff/internal/tool/...", "bff/internal/testkit/..."},
			not:    []string{"bff/internal/tool/..."},
			broken: [2]string{"bff/internal/describe/openapi", "bff/internal/tool/mock"},
		},
		{
			name:   "the_command_has_no_text_templates",
			reason: "they find methods by their name, so the linker keeps all methods of the program, which are 20 MB",
			of:     []string{"bff/..."}, but: []string{"bff/e2e/...", "bff/internal/testkit/...", "bff/internal/tool/genservices"},
			not:    []string{"text/template", "html/template"},
			broken: [2]string{"bff/internal/tool/scaffold", "text/template"},
		},
		{
			name:   "testkit_is_for_tests",
			reason: "it makes keys that nobody should trust, and fails by ending a test",
			of:     []string{"..."}, but: []string{"bff/internal/testkit/...", "bff/e2e/..."},
			not:    []string{"bff/internal/testkit/...", "bff/e2e/..."},
			broken: [2]string{"bff/internal/auth", "bff/internal/testkit/authtest"},
		},
		{
			name:   "hooks_are_for_tests",
			reason: "what a program may change is an option or in the configuration",
			of:     []string{"..."}, but: []string{"bff", "bff/e2e/..."}, not: []string{"bff/internal/testhook"},
			broken: [2]string{"bff/cmd/portico", "bff/internal/testhook"},
		},
	}...)
}

// violations lists the imports of the package, as paths relative to the module where they are ours, that break the rule.
func (r importRule) violations(pkg string, imports []string) []string {
	if !matches(r.of, pkg) || matches(r.but, pkg) {
		return nil
	}

	var found []string

	for _, imported := range imports {
		if matches(r.not, imported) && !matches(r.only, imported) {
			found = append(found, fmt.Sprintf("%s imports %s: %s", pkg, imported, r.reason))
		}
	}

	return found
}

// matches reports whether one of the patterns matches. The pattern "..." matches what is ours, not the whole world.
func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, tree := strings.CutSuffix(pattern, "...")
		if !tree {
			return pkg == pattern
		}

		if prefix == "" {
			return !strings.Contains(pkg, ".") && slices.Contains([]string{"gen", "bff", "backends"}, strings.Split(pkg, "/")[0])
		}

		return pkg+"/" == prefix || strings.HasPrefix(pkg, prefix)
	})
}

// sourceRule forbids something in the source of a package outside of tests.
type sourceRule struct {
	name   string
	reason string
	of     []string
	but    []string
	// find returns where it is.
	find func(p *source) []string
	// broken is a file that breaks the rule; fine is one that seems to.
	broken, fine string
}

func sourceRules() []sourceRule {
	return []sourceRule{
		{
			name:   "only_upstream_dials",
			reason: "a connection from elsewhere would have no breaker and no metrics, and would carry the client's own metadata",
			of:     []string{"bff/..."}, but: []string{"bff/internal/upstream"},
			find: (*source).dials,
			broken: `// Package p is one.
				package p
				import rpc "google.golang.org/grpc"
				func f() { rpc.NewClient("dns:///x") }`,
			fine: `// Package p is one.
				package p
				import "google.golang.org/grpc"
				func f(s string) { grpc.NewServer(); other.NewClient(s) }`,
		},
		{
			name:   "no_init",
			reason: "what a program does when it starts is written where it starts; registries are passed in",
			// gRPC takes balancing policies at this time alone, into a registry of its own.
			of: []string{"..."}, but: []string{"bff/internal/upstream/balance"},
			find: (*source).inits,
			broken: `// Package p is one.
				package p
				func init() {}`,
			fine: `// Package p is one.
				package p
				type t struct{}
				func (t) init() {}`,
		},
		{
			name:   "every_package_says_what_it_is_for",
			reason: "a package without a comment has no stated purpose, and so collects what has none",
			of:     []string{"..."},
			find:   (*source).undocumented,
			broken: `package p`,
			fine: `// Code generated by a program. DO NOT EDIT.

				package p`,
		},
	}
}

func (r sourceRule) violations(p *source) []string {
	if !matches(r.of, p.path) || matches(r.but, p.path) {
		return nil
	}

	var found []string
	for _, where := range r.find(p) {
		found = append(found, fmt.Sprintf("%s: %s", where, r.reason))
	}

	return found
}

// source is a package without its tests.
type source struct {
	path string
	fset *token.FileSet
	// written are the files that people wrote.
	written []*ast.File
	imports []string
}

func (p *source) add(file *ast.File) {
	for _, spec := range file.Imports {
		p.imports = append(p.imports, strings.TrimPrefix(importPath(spec), module+"/"))
	}

	if !ast.IsGenerated(file) {
		p.written = append(p.written, file)
	}
}

func importPath(spec *ast.ImportSpec) string {
	// What the parser took for a string is one.
	text, _ := strconv.Unquote(spec.Path.Value)

	return text
}

func (p *source) position(node ast.Node) string {
	at := p.fset.Position(node.Pos())

	return fmt.Sprintf("%s/%s:%d", p.path, filepath.Base(at.Filename), at.Line)
}

// dials finds the use of gRPC's ways to make a connection, whatever the file calls the package.
func (p *source) dials() []string {
	var found []string

	for _, file := range p.written {
		names := map[string]bool{}

		for _, spec := range file.Imports {
			if importPath(spec) != "google.golang.org/grpc" {
				continue
			}

			name := "grpc"
			if spec.Name != nil {
				name = spec.Name.Name
			}

			names[name] = true
		}

		ast.Inspect(file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"NewClient", "Dial", "DialContext"}, selector.Sel.Name) {
				return true
			}

			if from, ok := selector.X.(*ast.Ident); ok && names[from.Name] {
				found = append(found, p.position(node))
			}

			return true
		})
	}

	return found
}

func (p *source) inits() []string {
	var found []string

	for _, file := range p.written {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				found = append(found, p.position(f))
			}
		}
	}

	return found
}

func (p *source) undocumented() []string {
	documented := func(file *ast.File) bool {
		text := file.Doc.Text()
		if file.Name.Name == "main" {
			return text != ""
		}

		return strings.HasPrefix(text, "Package "+file.Name.Name+" ")
	}

	if len(p.written) == 0 || slices.ContainsFunc(p.written, documented) {
		return nil
	}

	return []string{p.position(p.written[0])}
}

// load parses the module, without tests.
func load(tb testing.TB) []*source {
	tb.Helper()

	root, err := filepath.Abs("../../..")
	if err != nil {
		tb.Fatal(err)
	}

	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil || !strings.HasPrefix(string(text), "module "+module+"\n") {
		tb.Fatalf("%s is not the root of the module: %v", root, err)
	}

	packages := map[string]*source{}

	err = fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata"):
			return fs.SkipDir
		case entry.IsDir() && slices.Contains([]string{"bench", "deploy", "docs/examples/library", "web"}, name):
			// Modules of their own, which cannot import what is internal, and TypeScript.
			return fs.SkipDir
		case entry.IsDir() && (base == "node_modules" || name == "bff/internal/testkit/foreign/apis/gen"):
			// They are not committed, and may be written at this time.
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go"):
			return nil
		}

		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &source{path: dir, fset: token.NewFileSet()}
		}

		file, err := parser.ParseFile(packages[dir].fset, filepath.Join(root, name), nil, parser.ParseComments)
		if err != nil {
			return err
		}

		packages[dir].add(file)

		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}

	list := make([]*source, 0, len(packages))
	for _, p := range packages {
		list = append(list, p)
	}

	slices.SortFunc(list, func(a, b *source) int { return strings.Compare(a.path, b.path) })

	return list
}

func TestImports(t *testing.T) {
	t.Parallel()

	packages := load(t)

	for _, rule := range importRules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()

			for _, p := range packages {
				for _, violation := range rule.violations(p.path, p.imports) {
					t.Error(violation)
				}
			}

			wantNamed(t, packages, slices.Concat(rule.of, rule.but, rule.not, rule.only))
		})
	}
}

// wantNamed wants every pattern that is for packages of ours to match one: of a package that was moved, a rule says nothing any more.
func wantNamed(tb testing.TB, packages []*source, patterns []string) {
	tb.Helper()

	for _, pattern := range patterns {
		ours := pattern == "..." || matches([]string{"..."}, strings.TrimSuffix(pattern, "/..."))
		named := func(p *source) bool { return matches([]string{pattern}, p.path) }

		if ours && !slices.ContainsFunc(packages, named) {
			tb.Errorf("there is no package %s any more", pattern)
		}
	}
}

func TestSource(t *testing.T) {
	t.Parallel()

	packages := load(t)

	for _, rule := range sourceRules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()

			for _, p := range packages {
				for _, violation := range rule.violations(p) {
					t.Error(violation)
				}
			}

			wantNamed(t, packages, slices.Concat(rule.of, rule.but))
		})
	}
}

// Every package is under one of the folders that "..." matches; one beside them would escape the rules.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()

	packages := load(t)
	if len(packages) < 40 {
		t.Errorf("found %d packages only", len(packages))
	}

	for _, p := range packages {
		if !matches([]string{"..."}, p.path) {
			t.Errorf("%s is under none of gen, bff and backends", p.path)
		}
	}
}

func TestImportRulesCanFail(t *testing.T) {
	t.Parallel()

	for _, rule := range importRules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()

			from, to := rule.broken[0], rule.broken[1]
			want := []string{fmt.Sprintf("%s imports %s: %s", from, to, rule.reason)}

			if diff := cmp.Diff(want, rule.violations(from, []string{"fmt", to, "google.golang.org/grpc"})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSourceRulesCanFail(t *testing.T) {
	t.Parallel()

	for _, rule := range sourceRules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()

			if got := rule.violations(parse(t, rule.broken)); len(got) != 1 || !strings.HasSuffix(got[0], rule.reason) {
				t.Errorf("broken: got %q", got)
			}

			if got := rule.violations(parse(t, rule.fine)); len(got) != 0 {
				t.Errorf("fine: got %q", got)
			}
		})
	}
}

func parse(tb testing.TB, text string) *source {
	tb.Helper()

	p := &source{path: "bff/p", fset: token.NewFileSet()}

	file, err := parser.ParseFile(p.fset, "p.go", text, parser.ParseComments)
	if err != nil {
		tb.Fatal(err)
	}

	p.add(file)

	return p
}

func TestMatches(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, pattern, pkg string
		want               bool
	}{
		{"itself", "bff", "bff", true},
		{"not_what_is_below", "bff", "bff/config", false},
		{"tree_has_its_root", "bff/...", "bff", true},
		{"tree_has_what_is_below", "bff/...", "bff/internal/edge", true},
		{"tree_has_not_what_begins_alike", "bff/...", "bffs", false},
		{"tree_of_others", "github.com/prometheus/...", "github.com/prometheus/client_golang/prometheus", true},
		{"all_of_ours", "...", "backends/internal/user", true},
		{"all_is_not_the_standard_library", "...", "net/http", false},
		{"all_is_not_others", "...", "google.golang.org/grpc", false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := matches([]string{tt.pattern}, tt.pkg); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
