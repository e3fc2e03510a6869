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
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// The metadata that a backend gets. Backends may trust it as far as they trust the network between the gateway and them; they can
// verify the identity.
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

// Metadata is what a backend gets in addition to what all get.
type Metadata struct {
	// ForwardAuthorization forwards the client's verified Authorization header.
	ForwardAuthorization bool
	// Sign makes the token about a caller. It must be safe for concurrent use. Nil: there is no token.
	Sign func(reqinfo.Principal) (string, error)
}

// CommonMetadata returns what every backend gets; see Metadata.Outgoing. It is made once for a record, and must not be changed.
func CommonMetadata(rec *reqinfo.Record) metadata.MD { return rec.Metadata(common) }

func common(rec *reqinfo.Record) metadata.MD { return outgoing(rec, "", "") }

// Outgoing returns a context whose outgoing metadata is the client's headers on the allow-list and what the gateway knows about the
// request, and nothing else: what grpc-gateway or others put there before, such as the client's other headers, is dropped. The
// gateway's own entries have one value each, or are absent. An error is a status, and the call must not be made.
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

	if authorization == "" && identity == "" {
		return metadata.NewOutgoingContext(ctx, CommonMetadata(rec)), nil
	}

	return metadata.NewOutgoingContext(ctx, outgoing(rec, authorization, identity)), nil
}

// outgoing returns the metadata of a request. Empty values are left out.
func outgoing(rec *reqinfo.Record, authorization, identity string) metadata.MD {
	trace := rec.Trace
	if trace.Sampled {
		// Each attempt has a span of its own.
		trace = reqinfo.Trace{}
	}

	own := [...]struct{ name, value string }{
		{MetadataRequestID, rec.ID},
		{MetadataSubject, rec.Principal.Subject},
		{MetadataScopes, strings.Join(rec.Principal.Scopes, " ")},
		{MetadataRoles, roles(rec.Principal.Roles)},
		{MetadataTenant, rec.Principal.Tenant},
		{MetadataClientAddress, address(rec.Client)},
		{metadataAuthorization, authorization},
		{MetadataIdentity, identity},
		{tracing.MetadataParent, trace.TraceParent},
		{tracing.MetadataState, trace.TraceState},
	}

	size := len(rec.Forward)

	for _, entry := range own {
		if entry.value != "" {
			size++
		}
	}

	// The map has the exact size and the values share one list, which is much cheaper.
	md, values := make(metadata.MD, size), make([]string, 0, len(own))

	for name, values := range rec.Forward {
		// Allow-lists refuse the gateway's own names; this is a second check.
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

// reserved reports whether only the gateway may set this name.
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
