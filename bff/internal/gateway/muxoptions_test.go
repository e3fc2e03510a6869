package gateway

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Each option that has no effect is refused by its name, also with the value that is grpc-gateway's default.
func TestCheckMuxOptionsRefuses(t *testing.T) {
	t.Parallel()

	annotate := func(context.Context, *http.Request) metadata.MD { return nil }

	for name, options := range map[string][]runtime.ServeMuxOption{
		"is nil":                           {nil},
		"WithHealthzEndpoint":              {runtime.WithHealthzEndpoint(grpc_health_v1.NewHealthClient(nil))},
		"WithHealthEndpointAt":             {runtime.WithHealthEndpointAt(grpc_health_v1.NewHealthClient(nil), "/up")},
		"WithIncomingHeaderMatcher":        {runtime.WithIncomingHeaderMatcher(runtime.DefaultHeaderMatcher), runtime.WithIncomingHeaderMatcher(nil)},
		"WithLegacyHeaderMatching":         {runtime.WithLegacyHeaderMatching()},
		"WithMetadata":                     {runtime.WithMetadata(annotate)},
		"WithErrorHandler":                 {runtime.WithErrorHandler(runtime.DefaultHTTPErrorHandler), runtime.WithErrorHandler(nil)},
		"WithStreamErrorHandler":           {runtime.WithStreamErrorHandler(runtime.DefaultStreamErrorHandler)},
		"WithRoutingErrorHandler":          {runtime.WithRoutingErrorHandler(runtime.DefaultRoutingErrorHandler)},
		"WithDisablePathLengthFallback":    {runtime.WithDisablePathLengthFallback()},
		"WithDisableHTTPMethodOverride":    {runtime.WithDisableHTTPMethodOverride()},
		"WithUnescapingMode":               {runtime.WithUnescapingMode(runtime.UnescapingModeDefault), runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters)},
		"WithStrictDeepWildcardMatching":   {runtime.WithStrictDeepWildcardMatching()},
		"WithWriteContentLength":           {runtime.WithWriteContentLength()},
		"WithDisableChunkedEncoding":       {runtime.WithDisableChunkedEncoding()},
		"SetQueryParameterParser":          {runtime.SetQueryParameterParser(&runtime.DefaultQueryParser{})},
		"WithMetadata has no effect: head": {func(mux *runtime.ServeMux) { runtime.WithMetadata(annotate)(mux) }},
	} {
		for i, option := range options {
			err := CheckMuxOptions([]runtime.ServeMuxOption{runtime.WithMiddlewares(), option})
			if err == nil || !strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(), "option 2: ") ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("%s %d: %v", name, i, err)
			}
		}
	}
}

func TestCheckMuxOptionsAllows(t *testing.T) {
	t.Parallel()

	if err := CheckMuxOptions([]runtime.ServeMuxOption{
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{}),
		runtime.WithMiddlewares(func(next runtime.HandlerFunc) runtime.HandlerFunc { return next }),
		runtime.WithForwardResponseOption(func(context.Context, http.ResponseWriter, proto.Message) error { return nil }),
		runtime.WithForwardResponseRewriter(func(_ context.Context, m proto.Message) (any, error) { return m, nil }),
		runtime.WithOutgoingHeaderMatcher(matchNone),
		runtime.WithOutgoingTrailerMatcher(matchNone),
	}); err != nil {
		t.Error(err)
	}
}

// A field that grpc-gateway adds, renames or removes has to be put in one of the two lists.
func TestFieldsOfServeMuxAreKnown(t *testing.T) {
	t.Parallel()

	known := []string{
		"middlewares", "forwardResponseOptions", "forwardResponseRewriter", "marshalers", "outgoingHeaderMatcher", "outgoingTrailerMatcher",
	}
	for _, field := range ownFields() {
		known = append(known, field.name)

		if fieldState(probedMux(), field.name) == nil {
			t.Errorf("the state of %s cannot be seen", field.name)
		}
	}

	var got []string
	for field := range reflect.TypeFor[runtime.ServeMux]().Fields() {
		got = append(got, field.Name)
	}

	slices.Sort(known)
	slices.Sort(got)

	if !slices.Equal(known, got) {
		t.Errorf("a ServeMux has the fields %q, known are %q", got, known)
	}
}
