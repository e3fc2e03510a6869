package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/tool/protocheck"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// write puts files into a folder, by their paths.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()

	for path, text := range files {
		target := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Once, imports were read line by line, and in double quotes alone.
func TestRun(t *testing.T) {
	t.Parallel()

	protos, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	write(t, out, map[string]string{"old.proto": ""})
	write(t, protos, map[string]string{
		"quotes.proto": "syntax = 'proto3';\nimport 'google/api/http.proto'; import \"google/protobuf/empty.proto\";import  'own/v1/own.proto';\n",
		"lines.proto": "syntax = \"proto3\";\nimport\n  public\n  \"google/rpc/status.proto\"\n;\n/*\nimport \"none.proto\";\n*/\n" +
			"// import \"none.proto\";\nimport weak \"google/api/visibility.proto\";\n",
		"newest.proto": "edition = \"2024\";\nimport \"google/\" 'api/field_behavior.proto';\nimport option \"portico/v1/policy.proto\";\n",
		"own/v1/own.proto": "syntax = \"proto3\";\nimport \"buf/validate/validate.proto\";\nimport \"google/rpc/error_details.proto\";\n" +
			"import \"google/type/money.proto\";\nimport \"google/longrunning/operations.proto\";\n",
	})

	if err := run(t.Context(), t.Output(), protocheck.Repository{Protos: protos}, out); err != nil {
		t.Fatal(err)
	}

	tree, err := protosource.Dir(out)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for path := range tree {
		got = append(got, path)
	}

	slices.Sort(got)

	const want = "buf/validate/validate.proto google/api/annotations.proto google/api/client.proto google/api/field_behavior.proto " +
		"google/api/http.proto google/api/launch_stage.proto google/api/visibility.proto google/longrunning/operations.proto " +
		"google/rpc/error_details.proto google/rpc/status.proto google/type/money.proto portico/v1/policy.proto"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, " "), want)
	}

	if _, err := tree.Compile(t.Context()); err != nil {
		t.Error(err)
	}
}

// Once, -out . would have emptied the repository.
func TestRunEmptiesNothingOfOnesOwn(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	protos := filepath.Join(dir, "proto")
	write(t, protos, map[string]string{"a.proto": "syntax = \"proto3\";\nimport \"google/api/http.proto\";\n"})

	for _, out := range []string{dir, protos} {
		err := run(t.Context(), t.Output(), protocheck.Repository{Protos: protos}, out)
		if err == nil || !strings.Contains(err.Error(), "the folder is emptied") {
			t.Errorf("%s: %v", out, err)
		}
	}

	if _, err := os.Stat(filepath.Join(protos, "a.proto")); err != nil {
		t.Error(err)
	}

	for _, row := range []struct {
		dir, other string
		want       bool
	}{{"/", ".", true}, {"..", ".", true}, {".", ".", true}, {"x", ".", false}, {"../x", ".", false}, {".deps/proto", "proto", false}} {
		if got := contains(row.dir, row.other); got != row.want {
			t.Errorf("%s contains %s: %t", row.dir, row.other, got)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()

	protos, out := t.TempDir(), t.TempDir()
	write(t, out, map[string]string{"old.proto": ""})
	write(t, protos, map[string]string{
		"a/a.proto": "syntax = 'proto3';\nimport 'google/api/http.proto';\n  import 'acme/v1/money.proto';\n",
		"b.proto":   "syntax = 'proto3';\nimport \"shop/v1/item.proto\";\n",
	})

	refuse := func(want ...string) {
		t.Helper()

		var printed strings.Builder

		err := run(t.Context(), &printed, protocheck.Repository{Protos: protos}, out)
		if !errors.Is(err, errFindings) {
			t.Fatalf("got %v", err)
		}

		lines := strings.Split(strings.TrimSuffix(printed.String(), "\n"), "\n")
		if len(lines) != len(want) {
			t.Errorf("printed %q", lines)
		}

		for i, line := range lines {
			if i < len(want) && !strings.HasPrefix(line, filepath.Join(protos, want[i])) {
				t.Errorf("printed %s\nwant %s", line, want[i])
			}
		}
	}

	refuse(`a/a.proto:3:10: PROTO_INVALID: import "acme/v1/money.proto": there is no such file here`, "b.proto:2:8: PROTO_INVALID: ")
	write(t, protos, map[string]string{"b.proto": "syntax = 'proto3';\nimport shop;\n"})
	refuse("b.proto:2:8: PROTO_INVALID: syntax error")

	// What there was is kept until all is known.
	if _, err := fs.Stat(os.DirFS(out), "old.proto"); err != nil {
		t.Error(err)
	}

	write(t, protos, map[string]string{"a/a.proto": "syntax = 'proto3';\nmessage A { Nothing n = 1; }\n", "b.proto": "syntax = 'proto3';\n"})
	refuse("a/a.proto:2:13: PROTO_INVALID: field A.n: unknown type Nothing")

	missing := protocheck.Repository{Protos: filepath.Join(protos, "none")}
	if err := run(t.Context(), t.Output(), missing, out); err == nil || errors.Is(err, errFindings) {
		t.Error("a folder that is not there is no fault")
	}
}
