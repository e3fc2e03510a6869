package protocheck_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/tool/protocheck"
)

const module = "github.com/portico-gateway/portico"

// documented is the proto of docs/services.md.
var documented = regexp.MustCompile("(?s)`proto/review/v1/review.proto`:\n\n```proto\n(.*?)```\n")

func documentedProto(tb testing.TB) string {
	tb.Helper()

	page, err := os.ReadFile("../../../../docs/services.md")
	if err != nil {
		tb.Fatal(err)
	}

	found := documented.FindSubmatch(page)
	if found == nil {
		tb.Fatal("docs/services.md does not show the proto any more")
	}

	return string(found[1])
}

// repository writes files beside this repository's own template.
func repository(tb testing.TB, files map[string]string) protocheck.Repository {
	tb.Helper()

	root := tb.TempDir()

	template, err := os.ReadFile("../../../../buf.gen.yaml")
	if err != nil {
		tb.Fatal(err)
	}

	all := map[string]string{"buf.gen.yaml": string(template), "go.mod": "module " + module + "\n"}
	maps.Copy(all, files)

	for name, text := range all {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			tb.Fatal(err)
		}

		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}

	return protocheck.Repository{Root: root, Protos: "proto", Template: "buf.gen.yaml"}
}

// place is where a part of a text begins, or a bar in it is, as line:column.
func place(tb testing.TB, text, part string) string {
	tb.Helper()

	first, rest, _ := strings.Cut(part, "|")

	before, _, found := strings.Cut(text, first+rest)
	if !found {
		tb.Fatalf("there is no %q", part)
	}

	if first != part {
		before += first
	}

	return fmt.Sprintf("%d:%d", strings.Count(before, "\n")+1, len(before)-strings.LastIndex(before, "\n"))
}

// mistake is a change of the documented proto, and the one finding that it is answered with.
type mistake struct {
	name     string
	old, new string
	// at is the text where the finding is, once the proto is changed.
	at string
	// says is a part of the finding, behind the position.
	says string
}

const access = `access: {authenticated: true}`

var getReview = `{get: "/v1/reviews/{review_id}"}`

// Each is answered where it was made, once, before any plugin runs.
func TestMistakes(t *testing.T) {
	t.Parallel()

	text := documentedProto(t)

	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()

			if !strings.Contains(text, m.old) {
				t.Fatalf("the documented proto has no %q", m.old)
			}

			changed := strings.Replace(text, m.old, m.new, 1)
			where := "1:1"

			if m.at != "" {
				where = place(t, changed, m.at)
			}

			findings, err := protocheck.Check(t.Context(), repository(t, map[string]string{"proto/review/v1/review.proto": changed}))
			if err != nil || len(findings) != 1 {
				t.Fatalf("%d findings, %v: %v", len(findings), err, findings)
			}

			got := findings[0].String()
			if want := "proto/review/v1/review.proto:" + where + ": "; !strings.HasPrefix(got, want) ||
				!strings.Contains(got, m.says) || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s%s", got, want, m.says)
			}
		})
	}
}

// findings are those in the documented proto with some changes, each a pair of texts.
func findings(t *testing.T, changes ...string) []string {
	t.Helper()

	text := strings.NewReplacer(changes...).Replace(documentedProto(t))

	found, err := protocheck.Check(t.Context(), repository(t, map[string]string{"proto/review/v1/review.proto": text}))
	if err != nil {
		t.Fatal(err)
	}

	lines := make([]string, 0, len(found))
	for _, finding := range found {
		lines = append(lines, strings.TrimPrefix(finding.String(), "proto/review/v1/review.proto:"))
	}

	return lines
}

// Once, a binding that could not be read hid what is wrong with the others of its method.
func TestMistakesInSeveralBindings(t *testing.T) {
	t.Parallel()

	got := findings(t, getReview, "{\n      get: \"/v1/reviews/{id}\"\n      additional_bindings: [\n        {get: \"/v1/r/{review_id}\" body: \"*\"},\n"+
		"        {post: \"/v1/q/{review_id}\" body: \"x\"},\n        {post: \"v1/q\"}\n      ]\n    }")

	wanted := []string{"no field \"id\"", "/v1/r/{review_id}: body: there is none", "/v1/q/{review_id}: body: ", "no leading slash"}
	if len(got) != len(wanted) {
		t.Fatalf("got %s", strings.Join(got, "\n"))
	}

	for i, want := range wanted {
		if !strings.Contains(got[i], want) {
			t.Errorf("got %s\nwant %s", got[i], want)
		}
	}
}

// Once, a fault in the defaults of a service was also said of each method with a policy of its own, where the positions of parts of
// options are not known.
func TestMistakesInDefaultsOfEdition2024(t *testing.T) {
	t.Parallel()

	got := findings(t, `syntax = "proto3";`, `edition = "2024";`, access, `access: {owner: {variable: "user_id"}}`)
	if len(got) != 1 || !strings.HasPrefix(got[0], "15:24: ") || !strings.HasSuffix(got[0], `has no variable "user_id" (for GET /v1/reviews/{review_id}, POST /v1/reviews)`) {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

// Once, code was generated into folders from which Go imports nothing.
func TestFoldersThatAreNoImportPath(t *testing.T) {
	t.Parallel()

	for _, folder := range []string{"my review/v1", "prüfung/v1"} {
		text := strings.Replace(documentedProto(t), "gen/review/v1", "gen/"+folder, 1)

		found, err := protocheck.Check(t.Context(), repository(t, map[string]string{"proto/" + folder + "/review.proto": text}))
		if err != nil || len(found) != 1 || !strings.HasPrefix(found[0].String(), "proto/"+folder+"/review.proto:9:1: GO_PACKAGE_INVALID: ") ||
			!strings.Contains(found[0].Message, "is no import path of Go: rename the folder") {
			t.Errorf("%s: %v, %v", folder, found, err)
		}
	}
}

// The documented proto itself has none, and neither have those of this repository.
func TestNoMistakes(t *testing.T) {
	t.Parallel()

	for _, r := range []protocheck.Repository{
		repository(t, map[string]string{"proto/review/v1/review.proto": documentedProto(t)}),
		{Root: "../../../..", Protos: "proto", Template: "buf.gen.yaml"},
		{Root: "../../../../docs/examples/library", Protos: "proto", Template: "buf.gen.yaml"},
	} {
		if findings, err := protocheck.Check(t.Context(), r); err != nil || len(findings) > 0 {
			t.Errorf("%s: %v, %v", r.Root, findings, err)
		}
	}
}
