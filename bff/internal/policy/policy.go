// Package policy reads the portico.v1 options of a method and compiles them, once, at start-up, into the policy that is in effect.
// It refuses what makes no sense and says where that is. One table has what people and tools are told about each field.
//
// It enforces nothing: auth, limit and gateway do.
package policy

import (
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Policy is what holds for one route.
type Policy struct {
	// Effective is all of it: with the defaults of the service and of the configuration, overrides and the default of each field.
	// What the method cannot have is not in it. It must not be changed.
	Effective *porticov1.MethodPolicy

	// The rest is what enforcement needs of it in another form.

	// Condition is the access condition. Nil: there is none.
	Condition *condition.Condition
	// Headers set fields of the request message.
	Headers []Header
	// EventID is the field of the response message that is the id of a Server-Sent Event. Nil: they have none.
	EventID schema.FieldPath
	// Location makes the header Location of the response message. Nil: there is none.
	Location *Location
	// Retry says when a call is made again. Nil: never.
	Retry *Retry
	// Cache says how responses are cached. Nil: none are, and each request is a call of its own.
	Cache *Cache
	// Invalidates are names for what the method changes.
	Invalidates []Tag
}

// Header sets a field of the request message from a header.
type Header struct {
	// Name is the header's, in canonical form.
	Name string
	// Field is what it sets.
	Field schema.FieldPath
}
