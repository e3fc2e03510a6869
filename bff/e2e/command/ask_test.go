package command_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// golden compares what was printed with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()

	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	if got != string(want) {
		t.Errorf("%s changed (go -C bff/e2e test ./command -update):\n%s", file, got)
	}
}

func TestRoutesAsJSON(t *testing.T) {
	t.Parallel()

	out, errs, code := portico(t, "routes", "--output", "json")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}

	table, _, _ := portico(t, "routes")

	var routes []json.RawMessage
	if err := json.Unmarshal([]byte(out), &routes); err != nil || len(routes) != strings.Count(table, "\n")-1 {
		t.Errorf("%d routes, %v", len(routes), err)
	}

	compared := slices.DeleteFunc(routes, func(r json.RawMessage) bool {
		return !slices.ContainsFunc(comparedServices(), func(name string) bool {
			return strings.Contains(string(r), `"rpc": "`+name+`/`)
		})
	})

	text, err := json.MarshalIndent(compared, "", "  ")
	if err != nil {
		t.Fatal(err)
	}

	golden(t, "routes.json", string(text)+"\n")
}

func TestExplainInFull(t *testing.T) {
	t.Parallel()

	config := writeFile(t, "portico.yaml", "upstreams:\n  order: {addresses: [127.0.0.1:9003, 127.0.0.1:9013]}\n")

	for _, row := range []struct {
		file string
		code int
		args []string
	}{
		{"explain_order.json", 0, []string{
			"POST", "/v1/orders", "--as", "alice", "--data", `{"items":[{"sku":"A1","title":"Tea","quantity":2,"unitPrice":{"currencyCode":"EUR","units":"3"}}]}`, "--header", "Idempotency-Key: 42", "--config", config, "--output", "json",
		}},
		{"explain_dashboard.json", 0, []string{"GET", "/v1/me/dashboard", "--as", "alice", "--output", "json"}},
		{"explain_dashboard.txt", 1, []string{"GET", "/v1/users/alice/dashboard", "--as", "bob"}},
		{"explain_orderpage.txt", 0, []string{"GET", "/v1/orders/ord_1/page", "--as", "alice"}},
		{"explain_orderpage.json", 0, []string{"GET", "/v1/orders/ord_1/page", "--as", "alice", "--output", "json"}},
		{"explain_rules.txt", 1, []string{"POST", "/v1/orders", "--as", "alice"}},
		{"explain_fields.txt", 1, []string{"GET", "/v1/me/dashboard?fields=user.displayNme", "--as", "alice"}},
		{"explain_nothing.txt", 1, []string{"GET", "/v1/nothing"}},
	} {
		out, errs, code := portico(t, append([]string{"explain"}, row.args...)...)
		if code != row.code {
			t.Errorf("%q: exit %d: %s", row.args, code, errs)
		}

		golden(t, row.file, regexp.MustCompile(`"request_?id": ?"[^"]+"`).ReplaceAllString(out, `"request_id": "…"`))
	}
}

// What a proto of a repository of its own is like.
const shopProto = `syntax = "proto3";

package shop.v1;

import "google/api/annotations.proto";
import "portico/v1/policy.proto";

service ShopService {
  option (portico.v1.service) = {
    defaults: {
      access: {authenticated: true}
      rate_limits: [{requests: 50 burst: 100}]
    }
  };

  rpc GetItem(Item) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/items/{item_id}"};
  }

  rpc DropItem(Item) returns (Item) {
    option (google.api.http) = {delete: "/v1/items/{item_id}"};
  }
}

message Item {
  string item_id = 1;
}
`

// repository is a Git repository with one commit of a proto, in the folder proto.
func repository(t *testing.T, text string) (dir, file string) {
	t.Helper()

	dir = t.TempDir()
	file = filepath.Join(dir, "proto", "shop", "v1", "shop.proto")

	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}

	write(t, file, text)
	git(t, dir, "init", "--quiet")
	commit(t, dir)

	return dir, file
}

// commit commits all files of a repository.
func commit(t *testing.T, dir string) {
	t.Helper()

	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false",
		"commit", "--quiet", "-m", "a commit")
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()

	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")

	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v: %s", args, err, out)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()

	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// porticoIn runs the command in a folder, with more in its environment.
func porticoIn(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()

	var out, errs strings.Builder

	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, &out, &errs, append(os.Environ(), env...)
	_ = cmd.Run() // The exit code says it.

	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// writeOtherNumbers adds to protos a policy language in which the fields that they use have other numbers.
func writeOtherNumbers(t *testing.T, dir string) {
	t.Helper()

	file := filepath.Join(dir, "portico", "v1", "policy.proto")
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}

	write(t, file, `syntax = "proto3";

package portico.v1;

import "google/protobuf/descriptor.proto";

extend google.protobuf.ServiceOptions {
  ServicePolicy service = 50951;
}

message ServicePolicy {
  MethodPolicy defaults = 1;
}

message MethodPolicy {
  repeated RateLimit rate_limits = 1;
  Access access = 2;
}

message Access {
  bool authenticated = 4;
}

message RateLimit {
  int64 requests = 2;
  int64 burst = 1;
}
`)
}

// A proto change that removes a route or tightens a limit is reported with its position.
func TestBreaking(t *testing.T) {
	t.Parallel()

	dir, file := repository(t, shopProto)

	if out, errs, code := porticoIn(t, dir, nil, "breaking", "--against", "HEAD"); code != 0 ||
		out != "ok: nothing that breaks REST clients since HEAD\n" {
		t.Errorf("without a change: exit %d: %s%s", code, out, errs)
	}

	before, _, _ := strings.Cut(shopProto, "  rpc DropItem")
	_, after, _ := strings.Cut(shopProto, "}\n\nmessage")
	write(t, file, strings.Replace(before+"}\n\nmessage"+after, "requests: 50", "requests: 10", 1))

	const want = `HEAD:proto/shop/v1/shop.proto:22:33: ROUTE_REMOVED: DELETE /v1/items/{item_id} is gone (shop.v1.ShopService/DropItem)
proto/shop/v1/shop.proto:12:22: RATE_LIMIT_TIGHTENED: lets through 10/1s burst 100 per principal, not 50/1s burst 100 per principal (GET /v1/items/{item_id})
`

	out, errs, code := porticoIn(t, dir, nil, "breaking", "--against", "HEAD")
	if code != 1 || out != want || errs != "portico: 2 changes since HEAD: this breaks clients\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}

	out, _, code = porticoIn(t, dir, nil, "breaking", "--against", "HEAD", "--output", "json")

	var changes []struct {
		File, Rule, Old, New, Revision string
		Line                           int
		Removed                        bool
		Routes                         []string
	}
	if err := json.Unmarshal([]byte(out), &changes); err != nil || code != 1 || len(changes) != 2 || !changes[0].Removed ||
		changes[0].Revision != "HEAD" || changes[1].Line != 12 || changes[1].Routes[0] != "GET /v1/items/{item_id}" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}

	// A folder is as good as a revision, from anywhere.
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(dir, "proto"))); err != nil {
		t.Fatal(err)
	}

	write(t, file, shopProto)
	// Once, a version whose policy language was numbered otherwise could not be read.
	writeOtherNumbers(t, old)

	if out, errs, code := porticoIn(t, old, nil, "breaking", "--against", old, filepath.Join(dir, "proto")); code != 0 {
		t.Errorf("the other way round: exit %d: %s%s", code, out, errs)
	}

	if status, err := exec.Command("git", "-C", dir, "status", "--short").Output(); err != nil || len(status) > 0 {
		t.Errorf("the working tree changed: %s %v", status, err)
	}

	for name, args := range map[string][]string{
		"no_such_revision": {"breaking", "--against", "nothing"},
		"an_option":        {"breaking", "--against", "--output=x"},
		"no_reference":     {"breaking"},
		"no_such_folder":   {"breaking", "--against", "HEAD", "nowhere"},
	} {
		if out, errs, code := porticoIn(t, dir, nil, args...); code != 2 || out != "" || !strings.Contains(errs, "--help") {
			t.Errorf("%s: exit %d: %s%s", name, code, out, errs)
		}
	}
}

// Once, neither lint nor breaking could read edition 2024.
func TestEdition2024(t *testing.T) {
	t.Parallel()

	newest := strings.Replace(shopProto, `syntax = "proto3"`, `edition = "2024"`, 1)
	dir, file := repository(t, newest)

	if out, errs, code := porticoIn(t, dir, nil, "lint"); code != 0 || out != "ok: 1 file, nothing found\n" || errs != "" {
		t.Errorf("nothing wrong: exit %d: %s%s", code, out, errs)
	}

	before, _, _ := strings.Cut(newest, "  rpc DropItem")
	_, after, _ := strings.Cut(newest, "}\n\nmessage")
	write(t, file, before+"}\n\nmessage"+after)

	out, errs, code := porticoIn(t, dir, nil, "breaking", "--against", "HEAD")
	if code != 1 || !strings.HasPrefix(out, "HEAD:proto/shop/v1/shop.proto:22:") || !strings.Contains(out, " ROUTE_REMOVED: DELETE ") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}

	write(t, file, strings.Replace(newest, `{delete: "/v1/items/{item_id}"}`, `{get: "/docs/{item_id}"}`, 1))

	if out, errs, code := porticoIn(t, dir, nil, "lint"); code != 1 || !strings.Contains(out, "proto/shop/v1/shop.proto:22:") ||
		!strings.Contains(out, ": ROUTE_HIDDEN: GET /docs/{item_id} ") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()

	dir, file := repository(t, shopProto)

	if out, errs, code := porticoIn(t, dir, nil, "lint"); code != 0 || out != "ok: 1 file, nothing found\n" || errs != "" {
		t.Errorf("nothing wrong: exit %d: %s%s", code, out, errs)
	}

	write(t, file, strings.Replace(shopProto, `{delete: "/v1/items/{item_id}"}`, `{delete: "/v1/items/{item_id}" body: "*"}`, 1))

	out, errs, code := porticoIn(t, dir, nil, "lint")
	if code != 1 || !strings.HasPrefix(out, "proto/shop/v1/shop.proto:22:63: BODY_UNEXPECTED: ") || errs != "portico: 1 finding\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}

	out, _, code = porticoIn(t, dir, nil, "lint", "proto", "--output", "json")

	var findings []struct {
		File, Rule, Message string
		Line, Column        int
	}
	if err := json.Unmarshal([]byte(out), &findings); err != nil || code != 1 || len(findings) != 1 || findings[0].Line != 22 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}

	write(t, file, "syntax = \"proto3\";\nmessage {}\n")

	if out, errs, code := porticoIn(t, dir, nil, "lint"); code != 1 || !strings.HasPrefix(out, "proto/shop/v1/shop.proto:2:9: PROTO_INVALID: ") {
		t.Errorf("no proto: exit %d: %s%s", code, out, errs)
	}

	for name, want := range map[string]string{
		"nowhere":                  "nowhere: there is no such folder: name the folder from which .proto files import one another",
		"proto/shop/v1/shop.proto": "proto/shop/v1/shop.proto: is a file: name the folder",
		".git":                     ".git: no .proto files: name the folder",
	} {
		if out, errs, code := porticoIn(t, dir, nil, "lint", name); code != 2 || !strings.HasPrefix(errs, "portico: "+want) || out != "" {
			t.Errorf("%s: exit %d: %s%s", name, code, out, errs)
		}
	}

	if out, _, code := portico(t, "lint", "--rules"); code != 0 || !strings.Contains(out, "LIST_UNPAGED") {
		t.Errorf("rules: exit %d: %s", code, out)
	}

	if out, errs, code := portico(t, "lint", "../../../proto"); code != 0 {
		t.Errorf("the protos of this repository: exit %d: %s%s", code, out, errs)
	}
}
