package scaffold_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/tool/scaffold"
)

var update = flag.Bool("update", false, "write the golden files")

const generation = `version: v2
plugins:
  - local: [go, tool, protoc-gen-go]
    out: gen
    opt: paths=source_relative
  - local: [go, tool, protoc-gen-portico]
    out: gen
  - local: [go, tool, protoc-gen-portico]
    out: composite/all
    opt: [composites=composite]
`

// teas can be read one by one, beside what is no standard method. Its resource is named by a field that others have as well.
const teas = `syntax = "proto3";

package acme.tea.v1;

import "portico/v1/policy.proto";

option go_package = "example.com/teas/v1;teav1";

service TeaService {
  option (portico.v1.service) = {upstream: "tea"};

  rpc ListTeas(GetTeaRequest) returns (GreenTea);
  rpc GetPrice(GetTeaRequest) returns (GreenTea);
  rpc GetGreenTea(GetTeaRequest) returns (GreenTea);
  rpc WatchGreenTea(GetTeaRequest) returns (stream GreenTea);
}

service TeaAdminService {
  option (portico.v1.service) = {upstream: "tea"};

  rpc DeleteTea(GetTeaRequest) returns (GreenTea);
}

message GetTeaRequest {
  string name = 1;
  int64 shop_id = 2;
  repeated string other_id = 3;
  optional string maybe_id = 4;
}

message GreenTea {
  string name = 1;
}
`

// ratings can be listed.
const ratings = `syntax = "proto3";

package rating.v1;

import "portico/v1/policy.proto";

option go_package = "example.com/ratings/v1;teav1";

// Once, a composite in the package of an upstream hid it.
service FrontService {
  option (portico.v1.service) = {composite: true};
  rpc ListRatings(ListRatingsRequest) returns (ListRatingsResponse);
}

service RatingService {
  rpc ListRatings(ListRatingsRequest) returns (ListRatingsResponse);
}

service OtherService {
  option (portico.v1.service) = {upstream: "several"};
  rpc ListRatings(ListRatingsRequest) returns (ListRatingsResponse);
}

service ThirdService {
  option (portico.v1.service) = {upstream: "several"};
  rpc ListRatings(ListOtherRatingsRequest) returns (ListRatingsResponse);
}

service WriteService {
  option (portico.v1.service) = {upstream: "write"};
  rpc GetRatings(ListRatingsRequest) returns (ListRatingsRequest);
  rpc ListNothing(ListRatingsRequest) returns (ListRatingsRequest);
}

message ListRatingsRequest {
  int64 shop_id = 1;
  int32 page_size = 2;
}

message ListOtherRatingsRequest {
  string shop_id = 1;
}

message ListRatingsResponse {
  repeated string ids = 1;
  repeated Rating shop_ratings = 2;
}

message Rating {
  int32 stars = 1;
}
`

const front = `syntax = "proto3";

package front.v1;

import "portico/v1/policy.proto";

option go_package = "example.com/mine/gen/front/v1;frontv1";

service PageService {
  option (portico.v1.service) = {composite: true};
}
`

// repository is another one than Portico's.
func repository(t *testing.T) string {
	t.Helper()

	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":                       "module example.com/mine\r\n\r\ngo 1.26.0\r\n",
		"buf.gen.yaml":                 generation,
		"proto/acme/tea/v1/tea.proto":  teas,
		"proto/rating/v1/rating.proto": ratings,
		"proto/front/v1/front.proto":   front,
		"proto/taken/v1/taken.proto":   "syntax = \"proto3\";\n\noption go_package = \"example.com/mine/gen/taken/v1\";\n\n// \"/v1/route/x\"\n",
		"composite/page/page.go":       "package page\n",
	} {
		write(t, filepath.Join(dir, path), text)
	}

	return dir
}

func TestCompositeGolden(t *testing.T) {
	t.Parallel()

	for name, over := range map[string][]string{
		"teapage": {"tea", "rating.v1.RatingService"},
		"stars":   {"rating"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := repository(t)

			plan, err := scaffold.Composite(t.Context(), scaffold.CompositeOptions{Dir: dir, Name: name, Over: over})
			if err != nil {
				t.Fatal(err)
			}

			if err := plan.Write(); err != nil {
				t.Fatal(err)
			}

			var written strings.Builder
			for _, f := range plan.Files {
				written.WriteString("-- " + f.Path + " --\n" + read(t, dir, f.Path))
			}

			written.WriteString("-- the page --\n" + plan.Path + "\n")

			golden := filepath.Join("testdata", name+".golden")
			if *update {
				write(t, golden, written.String())
			}

			if diff := cmp.Diff(read(t, ".", golden), written.String()); diff != "" {
				t.Errorf("-want +got, or run with -update:\n%s", diff)
			}

			_, err = scaffold.Composite(t.Context(), scaffold.CompositeOptions{Dir: dir, Name: name, Over: over})
			wantError(t, "again", err, "proto/"+name+" exists already")
		})
	}
}

func TestCompositeRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		name, over string
		want       string
	}{
		"upper_case":       {"TeaPage", "tea", `composite "TeaPage": its name is one word of 3 to 30 lower-case letters: try teapage`},
		"words":            {"tea-page", "tea", `composite "tea-page": its name is one word of 3 to 30 lower-case letters: try teapage`},
		"keyword":          {"range", "tea", `composite "range": the name is taken by a language or a tool: choose another one`},
		"imported":         {"status", "tea", `composite "status": the name is that of a package which the composite needs: choose another one`},
		"list":             {"all", "tea", "is that of a package which the composite needs"},
		"existing_proto":   {"taken", "tea", `composite "taken": proto/taken exists already, and nothing is overwritten: choose another name`},
		"existing_package": {"page", "tea", `composite "page": composite/page exists already, and nothing is overwritten: choose another name`},
		"route": {
			"route", "tea",
			`composite "route": proto/taken/v1/taken.proto:5: a route begins with /v1/route: choose another name`,
		},
		"nothing":          {"teapage", "", "--over: name the upstreams or services that it calls, such as --over user,order"},
		"comma":            {"teapage", ",", `--over ",": a name is empty: name the upstreams or services that it calls, such as --over user,order`},
		"comma_at_the_end": {"teapage", "tea,", `--over "tea,": a name is empty: name the upstreams`},
		"space":            {"teapage", "tea, ", `--over "tea, ": a name is empty: name the upstreams`},
		"unknown": {
			"teapage", "tee",
			`--over "tee": there is no upstream or service of that name; did you mean "tea"? The upstreams that can be read: rating, several, tea`,
		},
		"nothing_like_it":  {"teapage", "shop", `--over "shop": there is no upstream or service of that name. The upstreams that can be read: rating, several, tea`},
		"unknown_service":  {"teapage", "rating.v1.RatingSevice", `did you mean "rating.v1.RatingService"?`},
		"composite":        {"teapage", "rating.v1.FrontService", "a composite calls upstreams alone"},
		"package":          {"teapage", "front", "a composite calls upstreams alone"},
		"nothing_to_read":  {"teapage", "write", "neither Get, which returns a resource (AIP-131), nor List (AIP-132)"},
		"several_services": {"teapage", "several", "name one, rating.v1.OtherService or rating.v1.ThirdService"},
		"same_field": {
			"teapage", "rating,rating.v1.OtherService",
			`--over "rating.v1.OtherService": it fills a field that is taken: shop_ratings of the page, as for "rating": name one of them`,
		},
		"twice":                {"teapage", "tea,tea", `--over "tea": it is named more than once`},
		"twice_in_other_words": {"teapage", "tea,acme.tea.v1.TeaService", `--over "acme.tea.v1.TeaService": it fills a field that is taken: green_tea of the page`},
		"types": {
			"teapage", "tea,rating.v1.ThirdService",
			`--over "rating.v1.ThirdService": shop_id in the requests of GetGreenTea and ListRatings: the types do not agree: leave one of the two out`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			opts := scaffold.CompositeOptions{Dir: repository(t), Name: test.name}
			if test.over != "" {
				opts.Over = strings.Split(test.over, ",")
			}

			_, err := scaffold.Composite(t.Context(), opts)
			wantError(t, name, err, test.want)
		})
	}
}

func TestCompositeRefusesRepositories(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ path, text, want string }{
		"no_template": {"buf.gen.yaml", "", "buf.gen.yaml: no list of composites is generated here"},
		"no_list":     {"buf.gen.yaml", strings.ReplaceAll(generation, "composites=", "title="), "buf.gen.yaml: no list of composites is generated here"},
		"go_package": {
			"buf.gen.yaml", strings.ReplaceAll(generation, "paths=source_relative", "paths=import"),
			"buf.gen.yaml: it does not say where the Go code of protos is: give protoc-gen-go the option paths=source_relative",
		},
		"no_module": {"go.mod", "", "it does not say where the Go code of protos is"},
		"fault":     {"proto/taken/v1/taken.proto", "syntax = \"proto3\"\n", "/proto/taken/v1/taken.proto:2:1"},
		"no_protos": {"proto", "", "/proto: no such file or directory"},
		"file":      {"composite", "not a folder", "/composite/teapage: not a directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := repository(t)
			if err := os.RemoveAll(filepath.Join(dir, test.path)); err != nil {
				t.Fatal(err)
			}

			if test.text != "" {
				write(t, filepath.Join(dir, test.path), test.text)
			}

			_, err := scaffold.Composite(t.Context(), scaffold.CompositeOptions{Dir: dir, Name: "teapage", Over: []string{"tea"}})
			wantError(t, name, err, test.want)
		})
	}
}

// Once, a folder that does not exist was one without a list of composites.
func TestCompositeRefusesFolders(t *testing.T) {
	t.Parallel()

	dir := repository(t)

	for name, want := range map[string]string{
		"none":         `/none": there is no such folder`,
		"buf.gen.yaml": `/buf.gen.yaml": it is a file, not a folder`,
	} {
		_, err := scaffold.Composite(t.Context(),
			scaffold.CompositeOptions{Dir: filepath.Join(dir, name), Name: "teapage", Over: []string{"tea"}})
		wantError(t, name, err, want)
	}
}
