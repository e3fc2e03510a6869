package protolint

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// GoPackages returns the findings in files whose go_package is not where their code is written, or none.
func GoPackages(files []protoreflect.FileDescriptor, settings Settings) []Finding {
	l := &linter{settings: settings}
	l.goPackages(files)

	return l.findings
}

func (l *linter) goPackages(files []protoreflect.FileDescriptor) {
	if l.settings.GoPackage == nil {
		return
	}

	// The first file of each folder names the package for all of them.
	names := map[string]protoreflect.FileDescriptor{}

	for _, file := range files {
		given, name := goPackage(file)
		wanted := l.settings.GoPackage(file.Path())
		folder := path.Dir(file.Path())

		switch first := names[folder]; {
		case !importable.MatchString(wanted):
			l.find(nil, protopos.GoPackage(file), GoPackageInvalid, fmt.Sprintf(
				"%q is no import path of Go: rename the folder %q, with ASCII letters, digits and -._~ alone", wanted, folder))
		case given != wanted:
			l.find(nil, protopos.GoPackage(file), GoPackageInvalid, fmt.Sprintf("%s, where the code of this file is written: %s",
				misses(given, wanted), statement(wanted, name, file)))
		case first == nil:
			names[folder] = file
		default:
			if _, other := goPackage(first); other != name {
				l.find(nil, protopos.GoPackage(file), GoPackageInvalid, fmt.Sprintf(
					"the files of a folder are one Go package, which %s calls %q: %s",
					l.shown(protopos.GoPackage(first)), other, statement(wanted, other, file)))
			}
		}
	}
}

// importable matches what the Go command takes for an import path (golang.org/x/mod/module, CheckImportPath).
var importable = regexp.MustCompile(`^[\w.~-]+(/[\w.~-]+)*$`)

func misses(given, wanted string) string {
	if given == "" {
		return fmt.Sprintf("the file has no go_package, which must be %q", wanted)
	}

	return fmt.Sprintf("go_package is %q, but must be %q", given, wanted)
}

// statement is what the file has to say.
func statement(wanted, name string, file protoreflect.FileDescriptor) string {
	if name == "" {
		name = strings.ReplaceAll(string(file.Package()), ".", "")
	}

	return fmt.Sprintf("option go_package = %q;", strings.TrimSuffix(wanted+";"+name, ";"))
}

// goPackage is the import path that a file names, and the name of the package, if it names it.
func goPackage(file protoreflect.FileDescriptor) (importPath, name string) {
	options, _ := file.Options().(*descriptorpb.FileOptions)
	importPath, name, _ = strings.Cut(options.GetGoPackage(), ";")

	return importPath, name
}
