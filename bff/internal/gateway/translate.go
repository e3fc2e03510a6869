package gateway

import (
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// newTranslator returns the mux that generated handlers use for everything but routing: JSON, headers and errors. The options
// override its own, except where safety is concerned. It sends no metadata of backends to clients; see exchange.headers.
func newTranslator(codec *protojson.Codec, options []runtime.ServeMuxOption) *runtime.ServeMux {
	all := []runtime.ServeMuxOption{
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec),
		runtime.WithErrorHandler(handleError),
		runtime.WithStreamErrorHandler(handleStreamError),
		runtime.WithOutgoingHeaderMatcher(matchNone),
		runtime.WithOutgoingTrailerMatcher(matchNone),
		runtime.WithForwardResponseOption(forwarded),
		runtime.WithForwardResponseRewriter(intoBuffer),
		runtime.WithWriteContentLength(),
	}
	all = append(all, options...)

	// Package upstream writes the metadata for backends.
	return runtime.NewServeMux(append(all, runtime.WithIncomingHeaderMatcher(matchNone))...)
}

func matchNone(string) (string, bool) { return "", false }
