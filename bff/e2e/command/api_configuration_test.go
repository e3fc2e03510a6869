package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	configured = "--grpc-api-configuration=api.yaml"
	shopRules  = `http:
  rules:
    - selector: shop.v1.ShopService.GetItem
      get: /v1/things/{item_id}
    - selector: shop.v1.ShopService.DropItem
      delete: /v1/things/{item_id}
`
)

// Once, lint did not see routes of a gRPC API configuration, nor what is wrong with them.
func TestLintOfAnAPIConfiguration(t *testing.T) {
	t.Parallel()

	dir, _ := repository(t, shopProto)
	rules := filepath.Join(dir, "proto", "api.yaml")

	for name, row := range map[string]struct {
		text, want string
		code       int
	}{
		"nothing_wrong": {shopRules, "ok: 1 file, nothing found\n", 0},
		"no_rules":      {"", "ok: 1 file, nothing found\n", 0},
		"no_field": {
			strings.Replace(shopRules, "{item_id}", "{itm_id}", 1),
			`proto/api.yaml:3:7: ROUTE_INVALID: GET /v1/things/{itm_id}: path variable itm_id: `, 1,
		},
		"no_template": {strings.Replace(shopRules, "/v1/things/{item_id}", "v1", 1), "proto/api.yaml:3:7: ROUTE_INVALID: ", 1},
		"no_method": {
			strings.Replace(shopRules, "GetItem", "GetItm", 1),
			`proto/api.yaml:3:7: ROUTE_INVALID: selector "shop.v1.ShopService.GetItm": there is no such method here; did you mean`, 1,
		},
		"as_in_the_proto": {strings.Replace(shopRules, "delete: /v1/things", "delete: /v1/items", 1), ": ROUTE_CONFLICT: ", 1},
		"a_body":          {shopRules + "      body: \"*\"\n", "proto/api.yaml:5:7: BODY_UNEXPECTED: DELETE /v1/things/{item_id} ", 1},
		"a_page":          {strings.Replace(shopRules, "/v1/things/", "/docs/", 1), "proto/api.yaml:3:7: ROUTE_HIDDEN: ", 1},
	} {
		write(t, rules, row.text)

		out, errs, code := porticoIn(t, dir, nil, "lint", configured)
		if code != row.code || !strings.Contains(out, row.want) {
			t.Errorf("%s: exit %d: %s%s", name, code, out, errs)
		}
	}

	write(t, rules, "http: {rules: [{selector: 'x.*'}]}")

	if out, errs, code := porticoIn(t, dir, nil, "lint", configured); code != 1 || !strings.Contains(errs, "portico: proto/api.yaml:1:16: ") {
		t.Errorf("no configuration: exit %d: %s%s", code, out, errs)
	}

	for _, file := range []string{"none.yaml", rules} {
		if out, errs, code := porticoIn(t, dir, nil, "lint", "--grpc-api-configuration", file); code != 2 ||
			!strings.Contains(errs, file) || !strings.Contains(errs, "relative to proto") {
			t.Errorf("%s: exit %d: %s%s", file, code, out, errs)
		}
	}
}

// Once, breaking did not see routes of a gRPC API configuration.
func TestBreakingOfAnAPIConfiguration(t *testing.T) {
	t.Parallel()

	const (
		gone = "api.yaml:5:7: ROUTE_REMOVED: DELETE /v1/things/{item_id} is gone (shop.v1.ShopService/DropItem)\n"
		// GetItem is the first in the file.
		goneToo = "api.yaml:3:7: ROUTE_REMOVED: GET /v1/things/{item_id} is gone (shop.v1.ShopService/GetItem)\n"
	)

	dir, _ := repository(t, shopProto)
	rules := filepath.Join(dir, "proto", "api.yaml")
	fewer, _, _ := strings.Cut(shopRules, "    - selector: shop.v1.ShopService.DropItem")
	compare := func(what, against, want string) {
		t.Helper()

		out, errs, code := porticoIn(t, dir, nil, "breaking", "--against", against, configured)
		if !strings.HasSuffix(out, want) || (code == 0) != strings.HasPrefix(want, "ok") {
			t.Errorf("%s: exit %d: %s%s, not %s", what, code, out, errs, want)
		}
	}

	const ok = "ok: nothing that breaks REST clients since "

	write(t, rules, shopRules)
	compare("a new file", "HEAD", ok+"HEAD\n")
	commit(t, dir)
	compare("the same file", "HEAD", ok+"HEAD\n")
	write(t, rules, fewer)
	compare("a rule less", "HEAD", "HEAD:proto/"+gone)
	write(t, rules, strings.Replace(shopRules, "delete: /v1/things/{item_id}", "delete: /v1/thing/{item_id}", 1))
	compare("another path", "HEAD",
		"proto/api.yaml:5:7: ROUTE_CHANGED: DELETE /v1/things/{item_id} is now DELETE /v1/thing/{item_id} (shop.v1.ShopService/DropItem)\n")

	if err := os.Remove(rules); err != nil {
		t.Fatal(err)
	}

	compare("no file any more", "HEAD", "HEAD:proto/"+goneToo+"HEAD:proto/"+gone)

	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(dir, "proto"))); err != nil {
		t.Fatal(err)
	}

	if out, errs, code := porticoIn(t, dir, nil, "breaking", "--against", old, configured); code != 2 ||
		!strings.Contains(errs, "api.yaml") || !strings.Contains(errs, "relative to proto") {
		t.Errorf("in neither folder: exit %d: %s%s", code, out, errs)
	}

	write(t, filepath.Join(old, "api.yaml"), shopRules)
	write(t, rules, fewer)
	compare("a folder", old, old+"/"+gone)
	write(t, rules, strings.Replace(fewer, "GetItem", "GetItm", 1))

	if _, errs, code := porticoIn(t, dir, nil, "breaking", "--against", old, configured); code != 1 ||
		!strings.Contains(errs, `api.yaml:3:7: selector "shop.v1.ShopService.GetItm": there is no such method here`) {
		t.Errorf("an unknown method: exit %d: %s", code, errs)
	}
}
