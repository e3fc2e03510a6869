package scaffold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/internal/tool/gomodule"
	"github.com/portico-gateway/portico/bff/internal/tool/protocheck"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// CompositeOptions say which composite to make.
type CompositeOptions struct {
	// Dir is the root of the repository: of Portico's, or of another one that generates a list of composites.
	Dir string
	// Name is the name of the composite: of its package, its folder and its path. One word of 3 to 30 lower-case letters.
	Name string
	// Over are the services that it calls, by upstream or by full name. The first is the one that it cannot do without.
	Over []string
}

// Folders and files of a repository.
const (
	protosPath   = "proto"
	templatePath = "buf.gen.yaml"
)

var (
	errNoList = errors.New("no list of composites is generated here: go to the root of the repository or name it with --dir, " +
		"or give protoc-gen-portico the option composites=FOLDER, in an entry of its own")
	errNoGoPackage = errors.New("it does not say where the Go code of protos is: " +
		"give protoc-gen-go the option paths=source_relative, and a folder in a Go module")
	errOwnName = errors.New("the name is that of a package which the composite needs: choose another one")
)

// Composite plans a new composite: its proto, its implementation and its tests. It fails if a name is not valid, taken or unknown.
func Composite(ctx context.Context, opts CompositeOptions) (*Plan, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}

	repository := protocheck.Repository{Root: opts.Dir, Protos: protosPath, Template: templatePath}

	folder, err := repository.Composites()
	if err != nil {
		return nil, err
	}

	if folder == "" {
		return nil, fmt.Errorf("%s: %w", filepath.Join(opts.Dir, templatePath), errNoList)
	}

	p := page{Name: opts.Name, Folder: path.Join(folder, opts.Name), Path: "/v1/" + opts.Name}
	p.Proto = path.Join(p.Name, "v1", p.Name+".proto")

	module, inside, err := gomodule.Find(filepath.Join(opts.Dir, filepath.FromSlash(p.Folder)))
	if err != nil {
		return nil, fmt.Errorf("look for the Go module: %w", err)
	}

	p.Implementation = path.Join(module, inside)

	if p.ImportPath, err = importPath(repository, p.Proto); err != nil {
		return nil, err
	}

	protosDir := filepath.Join(opts.Dir, protosPath)

	tree, err := protosource.Dir(protosDir)
	if err != nil {
		return nil, err
	}

	if err := p.checkTaken(opts.Dir, tree); err != nil {
		return nil, fmt.Errorf("composite %q: %w", opts.Name, err)
	}

	protos, err := tree.Compile(ctx)
	if err != nil {
		return nil, protosource.Below(protosDir, err)
	}

	if p.Legs, err = legsOf(protos, opts.Over); err != nil {
		return nil, err
	}

	files, err := p.files(ctx, tree)
	if err != nil {
		return nil, err
	}

	return &Plan{dir: opts.Dir, Files: files, Path: p.example(), Folder: p.Folder, Scope: p.scope()}, nil
}

// check checks what needs no look at the files of the repository.
func (opts CompositeOptions) check() error {
	if err := checkCompositeName(opts.Name); err != nil {
		return fmt.Errorf("composite %q: %w", opts.Name, err)
	}

	return cmp.Or(checkOver(opts.Over), checkDir(opts.Dir))
}

// checkCompositeName refuses also the packages that the generated code imports under their own names.
func checkCompositeName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}

	if slices.Contains([]string{
		"all", "codes", "composite", "context", "errors", "fmt", "proto", "status", "strings", "testing",
	}, name) {
		return errOwnName
	}

	return nil
}

// importPath returns the Go package of the code of a proto that is not there yet.
func importPath(repository protocheck.Repository, proto string) (string, error) {
	goPackage, err := repository.GoPackage()
	if err != nil {
		return "", err
	}

	if goPackage == nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(repository.Root, templatePath), errNoGoPackage)
	}

	return goPackage(proto), nil
}

// checkTaken fails if something of the repository has a name that the composite needs.
func (p page) checkTaken(dir string, protos protosource.Tree) error {
	if err := checkFree(dir, path.Join(protosPath, p.Name), p.Folder); err != nil {
		return err
	}

	if err := checkRoutes(protos, p.Path); err != nil {
		return fmt.Errorf("%w: choose another name", err)
	}

	return nil
}

// files renders the proto, and the code with the names that Go has for what is in it.
func (p page) files(ctx context.Context, tree protosource.Tree) ([]File, error) {
	proto, err := execute("composite_proto", protosPath+"/"+p.Proto, p.values())
	if err != nil {
		return nil, err
	}

	tree[p.Proto] = proto.Text

	protos, err := tree.Compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("the proto of the composite: %w", err)
	}

	code, err := p.code(protos)
	if err != nil {
		return nil, err
	}

	filled, err := code.values()
	if err != nil {
		return nil, err
	}

	files := []File{proto}

	for _, one := range []struct{ template, path string }{
		{"composite_service", p.Folder + "/" + p.Name + ".go"}, {"composite_test", p.Folder + "/" + p.Name + "_test.go"},
	} {
		file, err := execute(one.template, one.path, filled)
		if err != nil {
			return nil, err
		}

		files = append(files, file)
	}

	return files, nil
}

// generators returns what plugins of protoc see of the files.
func generators(files []protoreflect.FileDescriptor) (*protogen.Plugin, error) {
	request := &pluginpb.CodeGeneratorRequest{}
	seen := map[string]bool{}

	for _, file := range files {
		request.FileToGenerate = append(request.FileToGenerate, file.Path())
		addFile(request, seen, file)
	}

	return protogen.Options{}.New(request)
}

// addFile adds a file after those that it imports.
func addFile(request *pluginpb.CodeGeneratorRequest, seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}

	seen[file.Path()] = true

	for i := range file.Imports().Len() {
		addFile(request, seen, file.Imports().Get(i).FileDescriptor)
	}

	request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(file))
}
