package upstream

import (
	"context"
	"fmt"
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
	return metadata.NewOutgoingContext(ctx, common(reqinfo.From(ctx)))
}

// Outgoing returns a context whose outgoing metadata is the client's headers that the allow-list lets through and what the gateway
// knows about the request, and nothing else: what grpc-gateway or anyone else put there before, such as the client's other headers,
// is dropped. What the gateway says is there exactly once, or not at all. An error is a status, and the call must not be made.
func (m Metadata) Outgoing(ctx context.Context) (context.Context, error) {
	rec := reqinfo.From(ctx)
	md := common(rec)

	if m.ForwardAuthorization {
		set(md, metadataAuthorization, rec.Authorization)
	}

	if m.Sign != nil && !rec.Principal.Anonymous() {
		token, err := m.Sign(rec.Principal)
		if err != nil {
			return nil, status.Error(codes.Internal, fmt.Sprintf("sign the caller's identity: %v", err))
		}

		set(md, MetadataIdentity, token)
	}

	return metadata.NewOutgoingContext(ctx, md), nil
}

// common is what every backend gets.
func common(rec *reqinfo.Record) metadata.MD {
	const own = 8

	md := make(metadata.MD, own+len(rec.Forward))

	for name, values := range rec.Forward {
		// Lists refuse the gateway's own names; this holds also if one did not.
		if name = strings.ToLower(name); !reserved(name) {
			md[name] = values
		}
	}

	set(md, MetadataRequestID, rec.ID)
	set(md, MetadataSubject, rec.Principal.Subject)
	set(md, MetadataScopes, strings.Join(rec.Principal.Scopes, " "))
	set(md, MetadataRoles, roles(rec.Principal.Roles))
	set(md, MetadataTenant, rec.Principal.Tenant)

	if rec.Client.IsValid() {
		set(md, MetadataClientAddress, rec.Client.String())
	}

	return md
}

// reserved tells whether only the gateway may say what has this name.
func reserved(name string) bool {
	return name == metadataAuthorization || name == MetadataRequestID || strings.HasPrefix(name, "x-portico-")
}

// set writes what is not empty.
func set(md metadata.MD, name, value string) {
	if value != "" {
		md[name] = []string{value}
	}
}

func roles(names []string) string {
	var b strings.Builder

	for _, name := range names {
		if name == "" || strings.Contains(name, " ") {
			continue
		}

		if b.Len() > 0 {
			b.WriteByte(' ')
		}

		b.WriteString(name)
	}

	return b.String()
}
