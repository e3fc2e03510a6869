package schema

import (
	"iter"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// ReadOnly reports whether the schema says that a method has no side effects.
func ReadOnly(method protoreflect.MethodDescriptor) bool {
	options, _ := method.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// LinkedMethods iterates over the methods of all services that are linked into the program, in any order.
func LinkedMethods() iter.Seq[protoreflect.MethodDescriptor] {
	return func(yield func(protoreflect.MethodDescriptor) bool) {
		protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
			for service := range All(file.Services()) {
				for method := range All(service.Methods()) {
					if !yield(method) {
						return false
					}
				}
			}

			return true
		})
	}
}

// LinkedMethod returns the method that gRPC calls by this name, "/user.v1.UserService/GetUser", if it is linked into the program.
func LinkedMethod(rpc string) (_ protoreflect.MethodDescriptor, ok bool) {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(rpc, "/"), "/", "."))

	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, false
	}

	method, ok := found.(protoreflect.MethodDescriptor)

	return method, ok
}
