package genservices_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/internal/tool/genservices"
	"github.com/portico-gateway/portico/gen"
)

// The committed list is the one that the plugin makes of the committed descriptors and packages, and has all of them.
func TestGenerateCompositesMakesTheCommittedList(t *testing.T) {
	t.Parallel()

	var files []protoreflect.FileDescriptor

	for _, service := range gen.Services() {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.Name))
		if err != nil {
			t.Fatal(err)
		}

		if !slices.Contains(files, found.ParentFile()) {
			files = append(files, found.ParentFile())
		}
	}

	folder := filepath.Join("..", "..", "..", "composite")

	got, missing, err := generateComposites(t, linked(files...), genservices.Implementations{
		ImportPath: "github.com/portico-gateway/portico/bff/composite", Files: os.DirFS(folder),
	})
	if err != nil || len(missing) > 0 {
		t.Fatalf("%v, %q", err, missing)
	}

	want, err := os.ReadFile(filepath.Join(folder, "all", genservices.CompositesName))
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run make generate (-committed +generated):\n%s", diff)
	}
}

func TestGenerateCompositesGolden(t *testing.T) {
	t.Parallel()

	got, missing, err := generateComposites(t, handMade(t, readText(t, "composites.txtpb")...), genservices.Implementations{
		ImportPath: "example.com/shop/composite", Files: fstest.MapFS{
			"teapage/page.go":   {Data: []byte("package teapage\n\nfunc New() {}\n")},
			"teapage/page_2.go": {Data: []byte("package teapage\n\nfunc NewV2beta1() {}\n")},
			"range/page.go":     {Data: []byte("package pagerange\n\nfunc New() {")}, // The compiler says what is wrong.
			// Methods and tests do not count.
			"cartpage/page.go":      {Data: []byte("package cartpage\n\nfunc (service) New() {}\n")},
			"cartpage/page_test.go": {Data: []byte("package cartpage\n\nfunc New() {}\n")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	want := []string{"shop.v1.CartPageService is not registered, because it has no implementation yet: write " +
		"func New(connect bff.Connect) (shopv1.CartPageServiceServer, error) in package example.com/shop/composite/cartpage, and generate again"}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Error(diff)
	}

	golden := filepath.Join("testdata", "composites.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(text), got); diff != "" {
		t.Errorf("-want +got, or run with -update:\n%s", diff)
	}
}

// A folder is not for two services.
func TestGenerateCompositesRefuses(t *testing.T) {
	t.Parallel()

	files := readText(t, "composites.txtpb")
	files[0].GetService()[1].Name = new("TEA_PAGE")

	_, _, err := generateComposites(t, handMade(t, files...), genservices.Implementations{Files: fstest.MapFS{}})
	if err == nil || !strings.Contains(err.Error(), "shop.v1.TeaPageService and shop.v1.TEA_PAGE: composites would be implemented by the same") {
		t.Errorf("got %v", err)
	}
}

// generateComposites returns the file.
func generateComposites(
	tb testing.TB, request *pluginpb.CodeGeneratorRequest, from genservices.Implementations,
) (text string, missing []string, err error) {
	tb.Helper()

	plugin, err := protogen.Options{}.New(received(tb, request))
	if err != nil {
		tb.Fatal(err)
	}

	if missing, err = genservices.GenerateComposites(plugin, "all", from); err != nil {
		return "", nil, err
	}

	files := plugin.Response().GetFile()
	if len(files) != 1 || files[0].GetName() != genservices.CompositesName {
		tb.Fatalf("wrote %v", files)
	}

	return files[0].GetContent(), missing, nil
}
