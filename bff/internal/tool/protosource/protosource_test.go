package protosource_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const text = `syntax = "proto3";
package a.v1;
import "portico/v1/policy.proto";
service S {
  option (portico.v1.service) = {
    defaults: {
      rate_limits: [{requests: 3}]
      timeout: {seconds: 1}
    }
  };
  rpc Do(M) returns (M) {
    option (portico.v1.policy) = {
      access: {
        public: true
      }
    };
  }
  rpc Bare(M) returns (M);
}
message M { string m = 1; }
`

// The options of compiled protos are read as those of generated code are, and everything has its line.
func TestCompile(t *testing.T) {
	t.Parallel()

	files, err := protosource.Tree{"a/v1/a.proto": []byte(text)}.Compile(t.Context())
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}

	service := files[0].Services().Get(0)
	do, bare := service.Methods().Get(0), service.Methods().Get(1)

	policy, ok := proto.GetExtension(do.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy)
	if !ok || !policy.GetAccess().GetPublic() {
		t.Errorf("the policy is %v", policy)
	}

	for _, row := range []struct {
		what string
		got  protopos.Position
		want string
	}{
		{"method", protopos.Of(do), "11:3"},
		{"message", protopos.Of(files[0].Messages().Get(0)), "20:1"},
		{"policy", protopos.Policy(do, ""), "12:5"},
		{"field_of_the_policy", protopos.Policy(do, "access.public"), "14:9"},
		{"field_that_is_not_set", protopos.Policy(do, "access.owner"), "13:7"},
		{"field_of_the_defaults", protopos.Policy(do, "timeout"), "8:7"},
		{"element_of_a_list", protopos.Policy(bare, "rate_limits[0].requests"), "7:22"},
		{"nowhere", protopos.Policy(do, "breaker"), "12:5"},
		{"service", protopos.Service(service), "5:3"},
		{"service_of_a_method_without_options", protopos.Policy(bare, ""), "5:3"},
		{"no_route", protopos.HTTP(bare), "18:3"},
	} {
		if row.got.String() != "a/v1/a.proto:"+row.want {
			t.Errorf("%s: %s, want %s", row.what, row.got, row.want)
		}
	}

	generated := porticov1.File_portico_v1_policy_proto.Messages().Get(0)
	if got := protopos.Of(generated).String(); got != "portico/v1/policy.proto" {
		t.Errorf("without source information: %s", got)
	}
}

// A tree comes before what is linked, and its files may import one another.
func TestOwnFilesComeFirst(t *testing.T) {
	t.Parallel()

	files, err := protosource.Tree{
		"b.proto":              []byte("syntax = \"proto3\";\nimport \"money/v1/money.proto\";\nmessage B { money.v1.Own own = 1; }\n"),
		"money/v1/money.proto": []byte("syntax = \"proto3\";\npackage money.v1;\nmessage Own {}\n"),
	}.Compile(t.Context())
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}

	if got := files[0].Messages().Get(0).Fields().Get(0).Message(); got != files[1].Messages().Get(0) {
		t.Errorf("%v", got)
	}
}

func TestFaultsHaveLines(t *testing.T) {
	t.Parallel()

	_, err := protosource.Tree{
		"a.proto": []byte("syntax = \"proto3\";\nmessage A { Nothing n = 1; }\nmessage B { Neither n = 1; }\n"),
	}.Compile(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a.proto:2:13") || !strings.Contains(err.Error(), "a.proto:3:13") {
		t.Error(err)
	}

	_, err = protosource.Tree{"b.proto": []byte("syntax = \"proto3\";\nimport \"nowhere.proto\";\n")}.Compile(t.Context())
	if err == nil || !strings.Contains(err.Error(), "b.proto:2:8") {
		t.Error(err)
	}

	if _, err := (protosource.Tree{}).Compile(t.Context()); !errors.Is(err, protosource.ErrEmpty) {
		t.Error(err)
	}
}

func TestDir(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.proto"), 0o750); err != nil {
		t.Fatal(err)
	}

	if _, err := protosource.Dir(dir); !errors.Is(err, protosource.ErrEmpty) {
		t.Error(err)
	}

	if _, err := protosource.Dir(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()

	cmd := exec.Command("git", append([]string{
		"-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false",
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")

	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v: %s", args, err, out)
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	dir := filepath.Join(root, "schema", "proto")
	file := filepath.Join(dir, "a", "v1", "a.proto")

	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "README.md"), nil, 0o600), os.WriteFile(filepath.Join(root, "other.proto"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}

	git(t, root, "init", "--quiet")
	git(t, root, "add", ".")
	git(t, root, "commit", "--quiet", "-m", "first")
	git(t, root, "tag", "v1")

	if err := os.WriteFile(file, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, revision := range []string{"HEAD", "v1"} {
		tree, err := protosource.Revision(t.Context(), dir, revision)
		if err != nil || len(tree) != 1 || string(tree["a/v1/a.proto"]) != text {
			t.Errorf("%s: %v %q", revision, err, tree)
		}
	}

	if now, err := os.ReadFile(file); err != nil || string(now) != "changed" {
		t.Errorf("the working tree is %q %v", now, err)
	}

	for _, revision := range []string{"", "v2", "--help", "HEAD:schema"} {
		if tree, err := protosource.Revision(t.Context(), dir, revision); err == nil {
			t.Errorf("%q: %v", revision, tree)
		}
	}
}

// Once, edition 2024 could not be read at all.
func TestEdition2024(t *testing.T) {
	t.Parallel()

	const newest = `edition = "2024";
package a.v1;
import "b.proto";
import "google/api/annotations.proto";
import option "portico/v1/policy.proto";
service S {
  rpc Do(M) returns (b.B) {
    option (google.api.http) = {get: "/v1/{m}"};
    option (portico.v1.policy) = {
      access: {public: true}
    };
  }
}
export message M { string m = 1; }
local message Other { string m = 1; }
`

	files, err := protosource.Tree{
		"a.proto": []byte(newest), "b.proto": []byte("syntax = \"proto3\";\npackage b;\nmessage B { string b = 1; }\n"),
	}.Compile(t.Context())
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}

	do := files[0].Services().Get(0).Methods().Get(0)

	policy, ok := proto.GetExtension(do.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy)
	if !ok || !policy.GetAccess().GetPublic() {
		t.Errorf("the policy is %v", policy)
	}

	if got := do.Output(); got != files[1].Messages().Get(0) {
		t.Errorf("%v", got)
	}

	for what, at := range map[string]protopos.Position{
		"a.proto:7": protopos.Of(do), "a.proto:8": protopos.HTTP(do), "a.proto:9": protopos.Policy(do, ""),
		"b.proto:3": protopos.Of(files[1].Messages().Get(0)),
	} {
		if !strings.HasPrefix(at.String(), what+":") {
			t.Errorf("%s, want %s", at, what)
		}
	}

	_, err = protosource.Tree{
		"a.proto": []byte(strings.Replace(newest, "(M)", "(Nothing)", 1)), "b.proto": []byte("syntax = \"proto3\";\npackage b;\n"),
	}.Compile(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a.proto:7:10: ") || !strings.Contains(err.Error(), "a.proto:7:28: ") {
		t.Error(err)
	}
}

func TestForeignImports(t *testing.T) {
	t.Parallel()

	imports, err := protosource.Tree{
		"b.proto": []byte("syntax = 'proto3'; import 'a.proto';import  public \"google/api/http.proto\" ; /* import \"none.proto\"; */ import weak\n" +
			"  'google/rpc/code.proto';import 'google/protobuf/any.proto';\n// import \"none.proto\";\nmessage M {\n  // import \"none.proto\";\n}\n"),
		"a.proto": []byte("edition = \"2024\";\nimport option \"portico/v1/policy.proto\";\nimport \"google/api/\" \"label.proto\";\n" +
			"option java_package = 'import \"none.proto\";';\n"),
	}.ForeignImports()

	var got []string
	for _, i := range imports {
		got = append(got, i.String()+" "+i.Path)
	}

	const want = "a.proto:2:15 portico/v1/policy.proto, a.proto:3:8 google/api/label.proto, b.proto:1:52 google/api/http.proto, " +
		"b.proto:2:3 google/rpc/code.proto"
	if strings.Join(got, ", ") != want || err != nil {
		t.Errorf("got %s, %v", strings.Join(got, ", "), err)
	}

	imports, err = protosource.Tree{
		"a.proto": []byte("syntax = \"proto3\";\nimport ;\nimport ;\n"), "b.proto": []byte("import 'x.proto'"),
	}.ForeignImports()
	if err == nil || !regexp.MustCompile(`^a.proto:2:8: syntax error: unexpected ';'.*\nb.proto:1:17: syntax error: .*$`).MatchString(err.Error()) {
		t.Error(imports, err)
	}
}

// What is probably meant is said, and what follows from another fault is not.
func TestFaultsAreExplained(t *testing.T) {
	t.Parallel()

	const money = "syntax = \"proto3\";\npackage shop.money.v1;\nmessage Money { int64 units = 1; }\n"

	for _, row := range []struct{ name, text, want string }{
		{
			"extension", `service S { option (portico.v1.service) = {}; option (portico.v1.policy) = {}; }`,
			`1:56: portico.v1.service is not imported: add import "portico/v1/policy.proto";`,
		},
		{
			"route", `message M {} service S { rpc A(M) returns (M) { option (google.api.http) = {}; } }`,
			`google.api.http is not imported: add import "google/api/annotations.proto";`,
		},
		{
			"rule", `message M { int32 i = 1 [(buf.validate.field).int32.gt = 1]; }`,
			`buf.validate.field is not imported: add import "buf/validate/validate.proto";`,
		},
		{
			"behaviour", `message M { int32 i = 1 [(google.api.field_behavior) = REQUIRED]; }`,
			`google.api.field_behavior is not imported: add import "google/api/field_behavior.proto";`,
		},
		{
			"well_known_type", `message M { google.protobuf.Timestamp at = 1; google.protobuf.Timestamp to = 2; }`,
			`google.protobuf.Timestamp is not imported: add import "google/protobuf/timestamp.proto";`,
		},
		{"own", `message M { money.v1.Money m = 1; }`, `shop.money.v1.Money is not imported: add import "shop/money/v1/money.proto";`},
		{"without_package", `message M { Money m = 1; }`, `unknown type Money; did you mean "shop.money.v1.Money", of "shop/money/v1/money.proto"?`},
		{"scalar", `message M { strng m = 1; }`, `unknown type strng; did you mean "string"?`},
		{"message", `message Mint {} message M { Mnit m = 1; }`, `unknown type Mnit; did you mean "Mint"?`},
		{"import", `import "google/api/annotation.proto";`, `did you mean "google/api/annotations.proto"?`},
		{"import_of_the_file_alone", `import "money.proto";`, `did you mean "shop/money/v1/money.proto"?`},
		{"import_with_the_folder", `import "proto/portico/v1/policy.proto";`, `did you mean "portico/v1/policy.proto"?`},
		{"import_without_version", `import "portico/policy.proto";`, `did you mean "portico/v1/policy.proto"?`},
		{"import_of_what_is_elsewhere", `import "acme/thing/v1/thing.proto";`, `import "acme/thing/v1/thing.proto": there is no such file here, ` +
			`and it is not built in: put it, and what it imports, below the folder of your own files, under this path`},
		{
			"field_of_an_option", `import "portico/v1/policy.proto"; service S { option (portico.v1.service) = {defaults: {rate_limit: {}}}; }`,
			`field rate_limit not found; did you mean "rate_limits"?`,
		},
		{"value_of_an_option", `import "portico/v1/policy.proto"; service S {
 option (portico.v1.service) = {defaults: {rate_limits: {key: RATE_LIMIT_KEY_TENNANT}}}; }`, `2:63: .*; did you mean "RATE_LIMIT_KEY_TENANT"?`},
		{
			"extension_without_parentheses", `import "portico/v1/policy.proto"; service S { option portico.v1.service = {}; }`,
			`does not exist; the name of an extension is in parentheses: (portico.v1.service)`,
		},
		{"end", `message M {`, `syntax error: unexpected end of the file`},
		{"money", `message M { google.type.Money m = 1; }`, `google.type.Money is not imported: add import "google/type/money.proto";`},
		{"twice", `message M { int32 i = 1; } message M { int32 i = 1; }`, `symbol "shop.v1.M" already defined`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			_, err := protosource.Tree{
				"shop/v1/a.proto": []byte(`syntax = "proto3"; package shop.v1; ` + row.text), "shop/money/v1/money.proto": []byte(money),
			}.Compile(t.Context())

			faults, ok := errors.AsType[protosource.FaultsError](protosource.Below("schema", err))
			if !ok || len(faults) != 1 {
				t.Fatalf("got %v", err)
			}

			want := "^schema/shop/v1/a.proto:.*" + strings.ReplaceAll(regexp.QuoteMeta(row.want), `\.\*`, ".*") + ".*$"
			if !regexp.MustCompile(want).MatchString(faults[0].String()) {
				t.Errorf("got %s\nwant %s", faults[0], row.want)
			}
		})
	}

	_, err := protosource.Tree{"a.proto": []byte("\nmessage M { int32 a = 1; int32 b = 2; }\n")}.Compile(t.Context())
	if want := `a.proto:1:1: the file does not say its syntax: begin it with syntax = "proto3";`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	_, err = protosource.Tree{"a.proto": []byte("syntax = \"proto3\";\n// ä \xfc\n")}.Compile(t.Context())
	if want := "a.proto:2:6: the file is not encoded as UTF-8"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Once, the compiler for edition 2024 had the last word about what it does not know.
func TestFaultsOfEditionsAreExplained(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ name, text, want string }{
		{"field", "service S { option (portico.v1.service) = {\n  defaults: {rate_limit: {}}}; }", `2:14: field rate_limit of portico.v1.MethodPolicy not found; did you mean "rate_limits"?`},
		{"field_by_name", "service S { option (portico.v1.service).default.timeout.seconds = 1; }", `field default of portico.v1.ServicePolicy not found; did you mean "defaults"?`},
		{
			"value", "service S { option (portico.v1.service) = {defaults: {rate_limits: {key: RATE_LIMIT_KEY_TENNANT}}}; }",
			"cannot find `RATE_LIMIT_KEY_TENNANT` in this scope; did you mean \"RATE_LIMIT_KEY_TENANT\"?",
		},
		{"extension_without_parentheses", "service S { option portico.v1.service = {}; }", "not found; the name of an extension is in parentheses: (portico.v1.service)"},
		{"type", "message Mint {} message M { Mnit m = 1; }", "cannot find `Mnit` in this scope; did you mean \"Mint\"?"},
		{"own", "message M { Money m = 1; }", `shop.v1.Money is not imported: add import "shop/v1/money.proto";`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			_, err := protosource.Tree{
				"shop/v1/a.proto":     []byte(`edition = "2024"; package shop.v1; import "portico/v1/policy.proto"; ` + row.text),
				"shop/v1/money.proto": []byte("syntax = \"proto3\";\npackage shop.v1;\nmessage Money { int64 units = 1; }\n"),
			}.Compile(t.Context())

			faults, ok := errors.AsType[protosource.FaultsError](err)
			if !ok || len(faults) != 1 || !strings.HasSuffix(faults[0].String(), row.want) {
				t.Errorf("got %v\nwant %s", err, row.want)
			}
		})
	}

	_, err := protosource.Tree{"a.proto": []byte(`edition = "2025";`)}.Compile(t.Context())
	if want := `a.proto:1:11: edition "2025" is not known; 2023 and 2024 are`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
