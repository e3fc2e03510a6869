package protopos_test

import (
	"testing"
	"testing/fstest"

	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

func TestLocate(t *testing.T) {
	t.Parallel()

	root := fstest.MapFS{
		"buf.yaml":              {Data: []byte("version: v2\nmodules:\n  - path: schema/api\n")},
		"schema/api/a/a.proto":  {},
		"proto/b.proto":         {},
		"c.proto":               {},
		"schema/other/d.proto":  {},
		"schema/api/e.proto/no": {},
	}

	for imported, want := range map[string]string{
		"a/a.proto": "schema/api/a/a.proto", "b.proto": "proto/b.proto", "c.proto": "c.proto", "d.proto": "d.proto", "e.proto": "e.proto",
	} {
		if got := protopos.Locate(root, imported); got != want {
			t.Errorf("%s is at %s, not %s", imported, got, want)
		}
	}
}
