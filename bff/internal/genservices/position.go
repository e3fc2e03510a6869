package genservices

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Numbers of fields in descriptor.proto, of which the paths of source locations are made.
const (
	fieldService        = 6
	fieldServiceMethod  = 2
	fieldServiceOptions = 3
	fieldMethodOptions  = 4
)

// position is where the policy of a method stands, as "file:line:column": its own option, else that of its service, else the
// method itself. Without source information it is the file.
func position(method protoreflect.MethodDescriptor) string {
	file := method.ParentFile()
	service := protoreflect.SourcePath{fieldService, int32(method.Parent().Index())}
	own := append(append(protoreflect.SourcePath{}, service...), fieldServiceMethod, int32(method.Index()))

	for _, path := range []protoreflect.SourcePath{
		append(append(protoreflect.SourcePath{}, own...), fieldMethodOptions, int32(porticov1.E_Policy.TypeDescriptor().Number())),
		append(append(protoreflect.SourcePath{}, service...),
			fieldServiceOptions, int32(porticov1.E_Service.TypeDescriptor().Number())),
		own,
	} {
		// The zero location is that of nothing: locations of what exists have a path.
		if at := file.SourceLocations().ByPath(path); at.Path != nil {
			return fmt.Sprintf("%s:%d:%d", file.Path(), at.StartLine+1, at.StartColumn+1)
		}
	}

	return file.Path()
}
