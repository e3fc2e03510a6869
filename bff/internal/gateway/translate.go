package gateway

import (
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// newTranslator returns the mux that generated handlers refer to for everything but routing: JSON, headers and errors. The given
// options come after its own, except where safety is concerned. What of a backend's metadata reaches clients is not its business;
// see exchange.headers.
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

	// What reaches a backend is written by package upstream; a client's headers are not even read.
	return runtime.NewServeMux(append(all, runtime.WithIncomingHeaderMatcher(matchNone))...)
}

func matchNone(string) (string, bool) { return "", false }
