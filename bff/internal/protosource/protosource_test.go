package protosource_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/protopos"
	"github.com/portico-gateway/portico/bff/internal/protosource"
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
		{"policy", protopos.Policy(do), "12:5"},
		{"field_of_the_policy", protopos.Policy(do, 1, 1), "14:9"},
		{"field_that_is_not_set", protopos.Policy(do, 1, 4), "13:7"},
		{"field_of_the_defaults", protopos.Policy(do, 3), "8:7"},
		{"element_of_a_list", protopos.Policy(bare, 2, 0, 1), "7:22"},
		{"nowhere", protopos.Policy(do, 7), "12:5"},
		{"service", protopos.Service(service), "5:3"},
		{"service_of_a_method_without_options", protopos.Policy(bare), "5:3"},
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
		"a.proto:7": protopos.Of(do), "a.proto:8": protopos.HTTP(do), "a.proto:9": protopos.Policy(do),
		"b.proto:3": protopos.Of(files[1].Messages().Get(0)),
	} {
		if !strings.HasPrefix(at.String(), what+":") {
			t.Errorf("%s, want %s", at, what)
		}
	}

	_, err = protosource.Tree{"a.proto": []byte(strings.Replace(newest, "(M)", "(Nothing)", 1))}.Compile(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a.proto:7:10: ") || !strings.Contains(err.Error(), "a.proto:3:1: ") {
		t.Error(err)
	}
}

func TestImports(t *testing.T) {
	t.Parallel()

	imports, err := protosource.Tree{
		"b.proto": []byte("syntax = 'proto3'; import 'x.proto';import  public \"y.proto\" ; /* import \"none.proto\"; */ import weak\n  'z.proto';\n" +
			"// import \"none.proto\";\nmessage M {\n  // import \"none.proto\";\n}\n"),
		"a.proto": []byte("edition = \"2024\";\nimport option \"o.proto\";\nimport \"part\" \"s.proto\";\noption java_package = 'import \"none.proto\";';\n"),
	}.Imports()

	var got []string
	for _, i := range imports {
		got = append(got, i.String()+" "+i.Path)
	}

	const want = "a.proto:2:15 o.proto, a.proto:3:8 parts.proto, b.proto:1:27 x.proto, b.proto:1:52 y.proto, b.proto:2:3 z.proto"
	if strings.Join(got, ", ") != want || err != nil {
		t.Errorf("got %s, %v", strings.Join(got, ", "), err)
	}

	imports, err = protosource.Tree{"a.proto": []byte("syntax = \"proto3\";\nimport ;\n"), "b.proto": []byte("import 'x.proto'")}.Imports()
	if err == nil || !strings.Contains(err.Error(), "a.proto:2:8") || !strings.Contains(err.Error(), "b.proto:1:1") {
		t.Error(imports, err)
	}
}
