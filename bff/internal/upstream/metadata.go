package upstream

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The metadata that a backend gets. Backends may trust it as far as they trust the network between the gateway and them; the
// identity they can verify.
const (
	// MetadataRequestID is the id of the request.
	MetadataRequestID = "x-request-id"
	// MetadataSubject is the subject of the caller's token; absent for an anonymous caller.
	MetadataSubject = "x-portico-subject"
	// MetadataScopes are the caller's scopes, separated by spaces; absent if there are none.
	MetadataScopes = "x-portico-scopes"
	// MetadataRoles are the caller's roles, separated by spaces; absent if there are none. A role with a space in its name is left
	// out: it would read as two others.
	MetadataRoles = "x-portico-roles"
	// MetadataTenant is the customer that the caller belongs to; absent if there is none.
	MetadataTenant = "x-portico-tenant"
	// MetadataIdentity is a token that the gateway signed about the caller; absent for an anonymous caller, and unless configured.
	MetadataIdentity = "x-portico-identity"
	// MetadataClientAddress is the address of the client.
	MetadataClientAddress = "x-portico-client-address"

	metadataAuthorization = "authorization"
)

// Metadata is what a backend gets beyond what all get.
type Metadata struct {
	// ForwardAuthorization sends the client's verified Authorization header along.
	ForwardAuthorization bool
	// Sign makes the token about a caller. It must be safe for concurrent use. Nil: there is none.
	Sign func(reqinfo.Principal) (string, error)
}

// WithMetadata returns a context whose outgoing metadata is what every backend gets, and nothing else; see Metadata.Outgoing.
func WithMetadata(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, outgoing(reqinfo.From(ctx), "", ""))
}

// Outgoing returns a context whose outgoing metadata is the client's headers that the allow-list lets through and what the gateway
// knows about the request, and nothing else: what grpc-gateway or anyone else put there before, such as the client's other headers,
// is dropped. What the gateway says is there exactly once, or not at all. An error is a status, and the call must not be made.
func (m Metadata) Outgoing(ctx context.Context) (context.Context, error) {
	rec := reqinfo.From(ctx)

	var authorization, identity string

	if m.ForwardAuthorization {
		authorization = rec.Authorization
	}

	if m.Sign != nil && !rec.Principal.Anonymous() {
		token, err := m.Sign(rec.Principal)
		if err != nil {
			return nil, status.Error(codes.Internal, fmt.Sprintf("sign the caller's identity: %v", err))
		}

		identity = token
	}

	return metadata.NewOutgoingContext(ctx, outgoing(rec, authorization, identity)), nil
}

// outgoing is what a backend gets of a request. What is empty is not there.
func outgoing(rec *reqinfo.Record, authorization, identity string) metadata.MD {
	own := [...]struct{ name, value string }{
		{MetadataRequestID, rec.ID},
		{MetadataSubject, rec.Principal.Subject},
		{MetadataScopes, strings.Join(rec.Principal.Scopes, " ")},
		{MetadataRoles, roles(rec.Principal.Roles)},
		{MetadataTenant, rec.Principal.Tenant},
		{MetadataClientAddress, address(rec.Client)},
		{metadataAuthorization, authorization},
		{MetadataIdentity, identity},
	}

	size := len(rec.Forward)

	for _, entry := range own {
		if entry.value != "" {
			size++
		}
	}

	// A map for more entries than these would be a good deal dearer, as would a list for each value.
	md, values := make(metadata.MD, size), make([]string, 0, len(own))

	for name, values := range rec.Forward {
		// Lists refuse the gateway's own names; this holds even if one did not.
		if name = strings.ToLower(name); !reserved(name) {
			md[name] = values
		}
	}

	for _, entry := range own {
		if entry.value != "" {
			values = append(values, entry.value)
			md[entry.name] = slices.Clip(values[len(values)-1:])
		}
	}

	return md
}

// reserved reports whether only the gateway may say what has this name.
func reserved(name string) bool {
	return name == metadataAuthorization || name == MetadataRequestID || strings.HasPrefix(name, "x-portico-")
}

func address(client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}

	return client.String()
}

func roles(names []string) string {
	unclear := func(name string) bool { return name == "" || strings.Contains(name, " ") }
	if slices.ContainsFunc(names, unclear) {
		names = slices.DeleteFunc(slices.Clone(names), unclear)
	}

	return strings.Join(names, " ")
}
