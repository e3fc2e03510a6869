package genservices

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	_ "embed"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// CompositesName is the name of the file of GenerateComposites, at the root of the output folder.
const CompositesName = "composites.gen.go"

//go:embed composites.gen.go.tmpl
var compositesSource string

var errSamePackage = errors.New("composites would be implemented by the same function: rename one of them")

// Implementations is the folder that has a Go package for each composite.
type Implementations struct {
	// ImportPath is that of the folder.
	ImportPath string
	// Files are the contents of the folder.
	Files fs.FS
}

// composite is a service that is implemented inside the gateway.
type composite struct {
	service

	// Folder is below that of all implementations, Constructor a function in it.
	Folder, Constructor string
}

// GenerateComposites adds the list of the composites in the files to generate, in a Go package of this name. A composite without an
// implementation is not in it: missing has what to do about each.
//
// The implementation of TeaPageService is function New of package teapage; that of another version than v1, such as
// shop.v2.TeaPageService, is NewV2.
func GenerateComposites(plugin *protogen.Plugin, packageName string, from Implementations) (missing []string, err error) {
	if !token.IsIdentifier(packageName) {
		return nil, fmt.Errorf("option package=%s: %w", packageName, errPackageName)
	}

	all, err := composites(plugin.Files, from)
	if err != nil {
		return nil, err
	}

	var implemented []composite

	for _, c := range all {
		found, err := declares(from.Files, c.Folder, c.Constructor)
		if err != nil {
			return nil, err
		}

		if found {
			implemented = append(implemented, c)
		} else {
			missing = append(missing, c.missing(from))
		}
	}

	text, err := renderComposites(packageName, implemented)
	if err != nil {
		return nil, err
	}

	return missing, write(plugin, CompositesName, text)
}

// composites returns the composites in the files to generate, by name.
func composites(files []*protogen.File, from Implementations) ([]composite, error) {
	var all []composite

	for _, file := range files {
		for _, in := range file.Services {
			if !file.Generate || !policy.Service(in.Desc).GetComposite() {
				continue
			}

			c := composite{
				service: service{
					Name: string(in.Desc.FullName()), GoName: in.GoName,
					ImportPath: file.GoImportPath, GoPackage: file.GoPackageName,
				},
				Folder: folder(string(in.Desc.Name())), Constructor: constructor(string(file.Desc.Package())),
			}
			c.Handlers = protogen.GoImportPath(path.Join(from.ImportPath, c.Folder))

			for _, other := range all {
				if other.Folder == c.Folder && other.Constructor == c.Constructor {
					return nil, fmt.Errorf("%s and %s: %w", other.Name, c.Name, errSamePackage)
				}
			}

			all = append(all, c)
		}
	}

	slices.SortFunc(all, func(a, b composite) int { return strings.Compare(a.Name, b.Name) })

	return all, nil
}

// folder returns the name of the Go package that implements a service: "teapage" for TeaPageService.
func folder(service string) string {
	name := strings.ToLower(strings.ReplaceAll(service, "_", ""))
	if short := strings.TrimSuffix(name, "service"); short != "" {
		return short
	}

	return name
}

// version matches the last part of a package with versions (AIP-215).
var version = regexp.MustCompile(`\.v([0-9]+[a-z0-9]*)$`)

// constructor returns the name of the function that makes the implementation of a service in a proto package.
func constructor(protoPackage string) string {
	found := version.FindStringSubmatch(protoPackage)
	if found == nil || found[1] == "1" {
		return "New"
	}

	return "NewV" + found[1]
}

// missing says what to write.
func (c composite) missing(from Implementations) string {
	return fmt.Sprintf("%s is not registered, because it has no implementation yet: write "+
		"func %s(connect bff.Connect) (%s.%sServer, error) in package %s, and generate again",
		c.Name, c.Constructor, c.GoPackage, c.GoName, path.Join(from.ImportPath, c.Folder))
}

// declares reports whether the Go package in a folder declares a function. There need not be one.
func declares(files fs.FS, folder, function string) (bool, error) {
	names, err := fs.Glob(files, folder+"/*.go")
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", folder, err)
	}

	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}

		text, err := fs.ReadFile(files, name)
		if err != nil {
			return false, fmt.Errorf("look for func %s: %w", function, err)
		}

		// What is wrong with the file is for the compiler to say.
		file, _ := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if file != nil && slices.ContainsFunc(file.Decls, func(decl ast.Decl) bool {
			found, ok := decl.(*ast.FuncDecl)

			return ok && found.Recv == nil && found.Name.Name == function
		}) {
			return true, nil
		}
	}

	return false, nil
}
