// Package mock answers for services that do not exist yet, or are not at hand: a real gRPC server on loopback whose answers are
// made up from the descriptors alone. They are believable (a field "email" holds an address, an order is changed after it was
// made), keep the rules of buf.validate that their messages have, repeat what the request says (the user_id of the path is that of
// the answer), and are the same whenever the same is asked. A list and what is read by the identifiers in it agree.
//
// It remembers nothing: what was created or changed is not there when it is read the next time. It is for development and for
// tests, never for production.
package mock

import "google.golang.org/protobuf/reflect/protoreflect"

// Names that several files look for.
const (
	httpBody  protoreflect.FullName = "google.api.HttpBody"
	fieldMask protoreflect.FullName = "google.protobuf.FieldMask"
	anyType   protoreflect.FullName = "google.protobuf.Any"
	moment    protoreflect.FullName = "google.protobuf.Timestamp"

	nameField = "name"
	emailWord = "email"
	uuidWord  = "uuid"
	pngType   = "image/png"
	euro      = "EUR"
)
