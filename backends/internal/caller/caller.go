// Package caller is the identity under which an RPC is made: who calls, with which scopes, in the course of which request. It reads
// it from the metadata of an incoming call and writes it on outgoing ones.
//
// It does not authenticate. The gateway does, and removes what clients send under these keys; backends must not be reachable for
// anyone but the gateway and one another.
package caller

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// Metadata keys, shared with the gateway. Each has exactly one value.
const (
	SubjectKey   = "x-portico-subject"
	ScopesKey    = "x-portico-scopes" // Separated by spaces.
	RequestIDKey = "x-request-id"
)

// Caller is who makes a call. The zero value is nobody.
type Caller struct {
	// Subject is the user_id of a user or "service:" and the name of a backend. Empty: nobody is known.
	Subject string
	// Scopes are the rights that the caller was given.
	Scopes []string
	// RequestID joins the log lines of one request across services. It may be empty.
	RequestID string
}

// From gives the caller of an incoming RPC. A key with more than one value counts as absent: nobody can say which one is meant.
func From(ctx context.Context) Caller {
	md, _ := metadata.FromIncomingContext(ctx)

	return Caller{
		Subject:   single(md, SubjectKey),
		Scopes:    strings.Fields(single(md, ScopesKey)),
		RequestID: single(md, RequestIDKey),
	}
}

func single(md metadata.MD, key string) string {
	values := md.Get(key)
	if len(values) != 1 {
		return ""
	}

	return values[0]
}

// Service is the identity of a backend that acts for itself.
func Service(name string, scopes ...string) Caller {
	return Caller{Subject: "service:" + name, Scopes: scopes}
}

// WithRequestID gives the same caller within another request.
func (c Caller) WithRequestID(id string) Caller {
	c.RequestID = id

	return c
}

// Outgoing gives a context whose outgoing calls are made by c. To hand on the identity of the present caller, pass From(ctx).
func Outgoing(ctx context.Context, c Caller) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		md = metadata.MD{}
	}

	set := func(key, value string) {
		md.Delete(key)

		if value != "" {
			md.Set(key, value)
		}
	}
	set(SubjectKey, c.Subject)
	set(ScopesKey, strings.Join(c.Scopes, " "))
	set(RequestIDKey, c.RequestID)

	return metadata.NewOutgoingContext(ctx, md)
}

// HasScope compares whole strings (RFC 6749, section 3.3).
func (c Caller) HasScope(scope string) bool {
	return slices.Contains(c.Scopes, scope)
}

// MayActFor reports whether c is the user or has the scope that overrides ownership. A caller without a subject may act for nobody.
func (c Caller) MayActFor(userID, scope string) bool {
	return c.Subject != "" && (c.Subject == userID || c.HasScope(scope))
}

// Authenticated is UNAUTHENTICATED if nobody is known.
func (c Caller) Authenticated() error {
	if c.Subject == "" {
		return fault.Unauthenticated("the call carries no identity")
	}

	return nil
}

// RequireScope is UNAUTHENTICATED if nobody is known, PERMISSION_DENIED without the scope.
func (c Caller) RequireScope(scope string) error {
	if err := c.Authenticated(); err != nil {
		return err
	}

	if !c.HasScope(scope) {
		return fault.PermissionDenied("this needs the scope %q", scope)
	}

	return nil
}

// RequireOwner is UNAUTHENTICATED if nobody is known, PERMISSION_DENIED unless c may act for the user. The noun says what is
// protected: "order" gives "you may not access this order".
func (c Caller) RequireOwner(userID, scope, noun string) error {
	if err := c.Authenticated(); err != nil {
		return err
	}

	if !c.MayActFor(userID, scope) {
		return fault.PermissionDenied("you may not access this %s", noun)
	}

	return nil
}
