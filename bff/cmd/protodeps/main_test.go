package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/protosource"
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
		"newest.proto":     "edition = \"2024\";\nimport option \"portico/v1/policy.proto\";\nimport \"google/\" 'api/field_behavior.proto';\n",
		"own/v1/own.proto": "syntax = \"proto3\";\nimport \"buf/validate/validate.proto\";\nimport \"google/rpc/error_details.proto\";\n",
	})

	if err := run(protos, out); err != nil {
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

	const want = "buf/validate/validate.proto google/api/field_behavior.proto google/api/http.proto google/api/visibility.proto " +
		"google/rpc/error_details.proto google/rpc/status.proto portico/v1/policy.proto"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, " "), want)
	}

	if _, err := tree.Compile(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()

	protos, out := t.TempDir(), t.TempDir()
	write(t, out, map[string]string{"old.proto": ""})
	write(t, protos, map[string]string{
		"a/a.proto": "syntax = 'proto3';\nimport 'google/api/http.proto';\n  import 'google/type/money.proto';\n",
		"b.proto":   "syntax = 'proto3';\nimport \"shop/v1/item.proto\";\n",
	})

	err := run(protos, out)
	for _, part := range []string{
		filepath.Join(protos, "a", "a.proto") + ":3:10: google/type/money.proto is not on offer", filepath.Join(protos, "b.proto") + ":2:8: shop/v1/item.proto",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}

	write(t, protos, map[string]string{"b.proto": "syntax = 'proto3';\nimport shop;\n"})

	if err := run(protos, out); err == nil || !strings.Contains(err.Error(), "b.proto:2:8: ") {
		t.Error(err)
	}

	if err := run(filepath.Join(protos, "none"), out); err == nil {
		t.Error("a folder that is not there is no fault")
	}

	// What there was is kept until all is known.
	if _, err := fs.Stat(os.DirFS(out), "old.proto"); err != nil {
		t.Error(err)
	}
}
