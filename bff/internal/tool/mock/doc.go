// Package mock serves gRPC services that do not exist yet, or are not at hand: a real gRPC server on loopback whose replies are
// made from the descriptors alone. A value is, in this order: what the request says (the user_id of the path is that of the reply),
// an example or a constant of the field's buf.validate rules, a value that keeps the rules, or a plain value of the field's type.
// The same request gets the same reply, and a list agrees with what is read by the identifiers in it.
//
// It remembers nothing: what was created or changed is not there when it is read the next time. It is for development and for
// tests, never for production.
package mock

import "google.golang.org/protobuf/reflect/protoreflect"

// Types that several files look for.
const (
	httpBody  protoreflect.FullName = "google.api.HttpBody"
	fieldMask protoreflect.FullName = "google.protobuf.FieldMask"
	anyType   protoreflect.FullName = "google.protobuf.Any"
	timestamp protoreflect.FullName = "google.protobuf.Timestamp"
)
