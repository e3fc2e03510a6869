package upstream

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The metadata that a backend gets. Backends may trust it as far as they trust the network between the gateway and them.
const (
	// MetadataRequestID is the id of the request.
	MetadataRequestID = "x-request-id"
	// MetadataSubject is the subject of the caller's token; absent for an anonymous caller.
	MetadataSubject = "x-portico-subject"
	// MetadataScopes are the caller's scopes, separated by spaces; absent if there are none.
	MetadataScopes = "x-portico-scopes"
	// MetadataClientAddress is the address of the client.
	MetadataClientAddress = "x-portico-client-address"
)

// WithMetadata returns a context whose outgoing metadata is what the gateway knows about the request, and nothing else: what
// grpc-gateway or anyone else put there before, such as the client's own headers, is dropped.
func WithMetadata(ctx context.Context) context.Context {
	const pairs = 4

	rec := reqinfo.From(ctx)
	md := make(metadata.MD, pairs)

	if rec.ID != "" {
		md[MetadataRequestID] = []string{rec.ID}
	}

	if !rec.Principal.Anonymous() {
		md[MetadataSubject] = []string{rec.Principal.Subject}
	}

	if len(rec.Principal.Scopes) > 0 {
		md[MetadataScopes] = []string{strings.Join(rec.Principal.Scopes, " ")}
	}

	if rec.Client.IsValid() {
		md[MetadataClientAddress] = []string{rec.Client.String()}
	}

	return metadata.NewOutgoingContext(ctx, md)
}
