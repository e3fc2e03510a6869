package scaffold_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/tool/scaffold"
)

// checkout is the least that looks like one.
func checkout(t *testing.T) string {
	t.Helper()

	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":                         "module example.com/mine\n\ngo 1.26.0\n",
		"proto/portico/v1/policy.proto":  "syntax = \"proto3\";\n",
		"proto/order/v1/order.proto":     "rpc X() { option (google.api.http) = {get: \"/v1/orders/{order_id}\"}; }\n",
		"backends/definitions.go":        "package backends\n\nfunc definitions() []definition {\n\treturn []definition{\n\t\torderService(),\n\t}\n}\n",
		"backends/service.go":            "package backends\n\ntype definition struct{}\n\nvar patience, other int\n\nfunc orderService() definition { return definition{} }\n",
		"backends/internal/page/page.go": "package page\n",
		"deploy/portico.example.yaml":    "log: {level: info}\n\nupstreams:\n  # The first.\n  order:\n    # Two of them.\n    addresses: [a, b]\n\n# What follows.\nadmin: {}\n",
	} {
		write(t, filepath.Join(dir, path), text)
	}

	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()

	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, path string) string {
	t.Helper()

	text, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

func TestServiceWritesEverything(t *testing.T) {
	t.Parallel()

	dir := checkout(t)

	plan, err := scaffold.Service(scaffold.Options{Dir: dir, Name: "loyalty", Resource: "LoyaltyCard"})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(filepath.Join(dir, "proto/loyalty")); err == nil {
		t.Error("the plan alone wrote something")
	}

	if err := plan.Write(); err != nil {
		t.Fatal(err)
	}

	for path, parts := range map[string][]string{
		"proto/loyalty/v1/loyalty.proto": {
			`option go_package = "example.com/mine/gen/loyalty/v1;loyaltyv1";`, "service LoyaltyService {",
			"rpc ListLoyaltyCards(ListLoyaltyCardsRequest)", `patch: "/v1/loyaltyCards/{loyalty_card_id}"`, `any_of: "loyalty:write"`,
			"// DeleteLoyaltyCard removes a loyalty card.", "repeated LoyaltyCard loyalty_cards = 1;",
		},
		"backends/internal/loyalty/service.go": {"package loyalty\n", "LoyaltyCardId: ident.New(\"loyalty_card\"),"},
		"backends/internal/loyalty/migrations/00001_loyalty_cards.sql": {
			"    loyalty_card_id TEXT    NOT NULL PRIMARY KEY,\n    title           TEXT    NOT NULL,\n",
		},
		"backends/loyalty.go":     {"func loyaltyService() definition {", `"example.com/mine/backends/internal/loyalty"`},
		"backends/definitions.go": {"\t\torderService(),\n\t\tloyaltyService(),\n\t}\n"},
		"deploy/portico.example.yaml": {
			"    addresses: [a, b]\n  loyalty: {target: \"dns:///loyalty.shop.svc:9000\"}\n\n# What follows.\nadmin: {}\n",
		},
	} {
		text := read(t, dir, path)
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q:\n%s", path, part, text)
			}
		}
	}

	if plan.Path != "/v1/loyaltyCards" || plan.Scope != "loyalty:write" || len(plan.Files) != 9 {
		t.Errorf("the plan says %q, %q, %d files", plan.Path, plan.Scope, len(plan.Files))
	}

	_, err = scaffold.Service(scaffold.Options{Dir: dir, Name: "loyalty"})
	wantError(t, "again", err, "proto/loyalty exists already")
}

func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()

	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error is %v, want %q", what, err, want)
	}
}

func TestServiceRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		opts scaffold.Options
		want string
	}{
		"empty":            {scaffold.Options{}, "one word"},
		"short":            {scaffold.Options{Name: "ab"}, "3 to 30"},
		"long":             {scaffold.Options{Name: strings.Repeat("a", 31)}, "3 to 30"},
		"digit":            {scaffold.Options{Name: "3dprints"}, "lower-case letters"},
		"several_words":    {scaffold.Options{Name: "loyalty_card"}, "try loyaltycard --resource LoyaltyCard"},
		"upper_case":       {scaffold.Options{Name: "Catalog"}, "try catalog"},
		"path":             {scaffold.Options{Name: "../catalog"}, "one word"},
		"keyword":          {scaffold.Options{Name: "range"}, "is taken by a language"},
		"predeclared":      {scaffold.Options{Name: "string"}, "is taken by a language"},
		"ours":             {scaffold.Options{Name: "portico"}, "is taken by a language or a tool"},
		"existing_proto":   {scaffold.Options{Name: "order"}, "proto/order exists already"},
		"existing_package": {scaffold.Options{Name: "page"}, "backends/internal/page exists already"},
		"declared_name":    {scaffold.Options{Name: "patience"}, "patience in service.go"},
		"route":            {scaffold.Options{Name: "shop", Resource: "Order"}, "proto/order/v1/order.proto:1: a route begins with /v1/orders: choose another one with --resource or --plural"},
		"resource_case":    {scaffold.Options{Name: "shop", Resource: "item"}, "upper camel case"},
		"resource_acronym": {scaffold.Options{Name: "shop", Resource: "SKU"}, "upper camel case"},
		"resource_digits":  {scaffold.Options{Name: "shop", Resource: "Tier2s"}, "upper camel case"},
		"resource_long":    {scaffold.Options{Name: "shop", Resource: "A" + strings.Repeat("a", 30)}, "by 30 letters"},
		"resource_request": {scaffold.Options{Name: "shop", Resource: "Request"}, "would clash"},
		"resource_service": {scaffold.Options{Name: "shop", Resource: "ShopServiceServer"}, "would clash"},
		"resource_method":  {scaffold.Options{Name: "shop", Resource: "String"}, "would clash"},
		"plural_method":    {scaffold.Options{Name: "shop", Plural: "reset"}, "would clash"},
		"plural_sql":       {scaffold.Options{Name: "shop", Resource: "Value"}, "would clash"},
		"plural_form":      {scaffold.Options{Name: "shop", Plural: "Items"}, "lower snake case"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test.opts.Dir = checkout(t)

			_, err := scaffold.Service(test.opts)
			wantError(t, name, err, test.want)
		})
	}
}

func TestServiceRefusesWhatIsNoCheckout(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ path, text, want string }{
		"no_definitions":  {"backends/definitions.go", "", "not the root of a Portico checkout"},
		"no_example":      {"deploy/portico.example.yaml", "", "no such file"},
		"no_go_mod":       {"go.mod", "", "not the root of a Portico checkout"},
		"go_mod_empty":    {"go.mod", "go 1.26.0\n", "go.mod without a module"},
		"other_structure": {"backends/definitions.go", "package backends\n\nfunc definitions() []definition { return all }\n", "no func definitions()"},
		"in_one_line":     {"backends/definitions.go", "package backends\n\nfunc definitions() []int { return []int{1} }\n", "an element per line"},
		"not_go":          {"backends/definitions.go", "package\n", "definitions.go"},
		"no_upstreams":    {"deploy/portico.example.yaml", "log: {}\n", "no block"},
		"flow_upstreams":  {"deploy/portico.example.yaml", "upstreams: {}\n", "no block"},
		"taken_upstream":  {"deploy/portico.example.yaml", "upstreams:\n  shop: {}\n", "upstream of that name"},
		"not_yaml":        {"deploy/portico.example.yaml", "upstreams: [\n", "parse"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := checkout(t)
			if err := os.Remove(filepath.Join(dir, test.path)); err != nil {
				t.Fatal(err)
			}

			if test.text != "" {
				write(t, filepath.Join(dir, test.path), test.text)
			}

			_, err := scaffold.Service(scaffold.Options{Dir: dir, Name: "shop"})
			wantError(t, name, err, test.want)
		})
	}
}

// What appears between planning and writing stays, and what was written before it is taken back.
func TestWriteOverwritesNothing(t *testing.T) {
	t.Parallel()

	dir := checkout(t)

	plan, err := scaffold.Service(scaffold.Options{Dir: dir, Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}

	write(t, filepath.Join(dir, "backends/shop.go"), "mine")
	wantError(t, "write", plan.Write(), "backends/shop.go")

	if got := read(t, dir, "backends/shop.go"); got != "mine" {
		t.Errorf("it is %q now", got)
	}

	for _, f := range plan.Files {
		if _, err := os.Stat(filepath.Join(dir, f.Path)); err == nil && !f.Changed && f.Path != "backends/shop.go" {
			t.Errorf("%s is left behind", f.Path)
		}
	}

	if strings.Contains(read(t, dir, "backends/definitions.go"), "shopService") {
		t.Error("it is in the list")
	}
}

func TestPlurals(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ resource, plural, want string }{
		"regular":    {"Item", "", "/v1/items"},
		"words":      {"GiftBox", "", "/v1/giftBoxes"},
		"consonant":  {"Category", "", "/v1/categories"},
		"vowel":      {"Key", "", "/v1/keys"},
		"sibilant":   {"Branch", "", "/v1/branches"},
		"irregular":  {"Person", "people", "/v1/people"},
		"same":       {"Sheep", "sheep", "/v1/sheep"},
		"of_several": {"ShopPerson", "shop_people", "/v1/shopPeople"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			plan, err := scaffold.Service(scaffold.Options{Dir: checkout(t), Name: "shop", Resource: test.resource, Plural: test.plural})
			if err != nil || plan.Path != test.want {
				t.Fatalf("%v, %v, want %s", plan, err, test.want)
			}

			// A service is one that people read.
			if at := slices.IndexFunc(plan.Files, func(f scaffold.File) bool { return strings.Contains(string(f.Text), "<no value>") }); at >= 0 {
				t.Errorf("%s has holes", plan.Files[at].Path)
			}
		})
	}
}
