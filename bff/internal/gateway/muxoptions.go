package gateway

import (
	"errors"
	"fmt"
	"reflect"
	goruntime "runtime"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// ownField is a field of runtime.ServeMux that has no effect in a gateway, or must not have one.
type ownField struct {
	name string
	// options set it.
	options string
	// instead says what to do.
	instead string
}

// What to do in place of an option that is refused.
const (
	insteadHeaders = "headers.request of the configuration and headers of a policy name the headers that backends get"
	insteadRouting = "leave it out, paths and methods are routed by the gateway's own rules (docs/translation.md)"
	insteadLength  = "leave it out, the gateway frames responses itself"
	insteadHealth  = "use /readyz of the admin listener, or bff.WithPage for another handler"
	insteadErrors  = "use bff.WithProblemHook, which sees all errors"
)

func ownFields() []ownField {
	return []ownField{
		{"handlers", "WithHealthzEndpoint or WithHealthEndpointAt", insteadHealth},
		{"incomingHeaderMatcher", "WithIncomingHeaderMatcher or WithLegacyHeaderMatching", insteadHeaders},
		{"metadataAnnotators", "WithMetadata", insteadHeaders + "; bff.WithDialOptions takes interceptors that add metadata"},
		{"errorHandler", "WithErrorHandler", insteadErrors},
		{"streamErrorHandler", "WithStreamErrorHandler", insteadErrors},
		{"routingErrorHandler", "WithRoutingErrorHandler", insteadErrors},
		{"disablePathLengthFallback", "WithDisablePathLengthFallback", insteadRouting},
		{"disableHTTPMethodOverride", "WithDisableHTTPMethodOverride", insteadRouting},
		{"unescapingMode", "WithUnescapingMode", insteadRouting},
		{"strictDeepWildcard", "WithStrictDeepWildcardMatching", insteadRouting},
		{"writeContentLength", "WithWriteContentLength", insteadLength},
		{"disableChunkedEncoding", "WithDisableChunkedEncoding", insteadLength},
	}
}

// queryParser is the one option that does not change a ServeMux, but the whole process.
const queryParser = "SetQueryParameterParser"

// CheckMuxOptions refuses options of runtime.NewServeMux that would have no effect in a gateway, or give some errors another form.
// The error names each of them, and what to do instead.
func CheckMuxOptions(options []runtime.ServeMuxOption) error {
	var faults []error

	for i, option := range options {
		for _, fault := range muxOptionFaults(option) {
			faults = append(faults, fmt.Errorf("option %d: %s", i+1, fault))
		}
	}

	return errors.Join(faults...)
}

func muxOptionFaults(option runtime.ServeMuxOption) []string {
	if option == nil {
		return []string{"is nil"}
	}

	// It must not be applied.
	if f := goruntime.FuncForPC(reflect.ValueOf(option).Pointer()); f != nil && strings.Contains(f.Name(), queryParser) {
		return []string{"runtime." + queryParser +
			" has no effect: queries are read by the gateway; query.ignored of the configuration lists parameters to pass over"}
	}

	before, after := probedMux(), probedMux()
	option(after)

	var faults []string

	for _, field := range ownFields() {
		if fieldState(before, field.name) != fieldState(after, field.name) {
			faults = append(faults, "runtime."+field.options+" has no effect: "+field.instead)
		}
	}

	return faults
}

// probedMux is a mux in which each option changes something, even one that sets what is grpc-gateway's default.
func probedMux() *runtime.ServeMux {
	const noMode = -1
	return runtime.NewServeMux(
		runtime.WithUnescapingMode(noMode),
		runtime.WithErrorHandler(handleError),
		runtime.WithStreamErrorHandler(handleStreamError),
		runtime.WithRoutingErrorHandler(nil),
		runtime.WithIncomingHeaderMatcher(matchNone),
	)
}

// fieldState formats a field, a function as its address; nil if there is none. The fields are not exported, and there is no other
// way to see what an option does; a test compares the names with those of grpc-gateway.
func fieldState(mux *runtime.ServeMux, name string) any {
	field := reflect.ValueOf(mux).Elem().FieldByName(name)
	if !field.IsValid() {
		return nil
	}

	return fmt.Sprint(field)
}
