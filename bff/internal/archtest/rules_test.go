package archtest_test

import "path"

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
				"bff/internal/auth/session/redissession", "bff/internal/cache/rediscache", "bff/internal/idempotency/redisidempotency", "bff/internal/limit/redislimit",
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
			name:   "only_the_development_provider_knows_zitadel",
			reason: "the gateway is a client of providers, and has no use for what makes one",
			of:     []string{"..."}, but: []string{"bff/internal/tool/devprovider"}, not: []string{"github.com/zitadel/..."},
			broken: [2]string{"bff/internal/auth", "github.com/zitadel/oidc/v3/pkg/op"},
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
