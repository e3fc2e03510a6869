package upstream

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// grpcSchemes are those of the resolvers that gRPC has (gRPC Name Resolution).
func grpcSchemes() []string { return []string{schemeDNS, "passthrough", "unix", "unix-abstract"} }

const schemeDNS = "dns"

// CheckTarget refuses a target whose scheme no resolver of this program has: gRPC would look up the whole text as a name of DNS. A
// target without a scheme is such a name.
func CheckTarget(target string) error {
	scheme, _, ok := strings.Cut(target, "://")

	switch {
	case !ok && !controlled(target):
		return nil
	case ok && !controlled(target) && resolver.Get(scheme) == nil:
		schemes := append(grpcSchemes(), "xds")

		meant := hint.DidYouMean(scheme, schemes)
		if meant == "" {
			meant = "; there are " + strings.Join(schemes, ", ")
		}

		return fmt.Errorf("%q has the scheme %q, which nothing here resolves%s", target, scheme, meant)
	case controlled(target):
		_, err := controlPlane(insecure.NewCredentials())

		return err
	default:
		return nil
	}
}
