package upstream

import (
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/xds"
	_ "google.golang.org/grpc/xds" // Targets "xds:///" need it.
)

// controlled tells whether a control plane says which addresses there are, how they are balanced and which calls are made again
// (xDS; gRFC A27). Where it is found stands in the bootstrap file that GRPC_XDS_BOOTSTRAP names. What is configured on balancing,
// probes, ejection and retries does not hold for such a target.
func controlled(target string) bool { return strings.HasPrefix(target, "xds:") }

// controlPlane leaves everything to the control plane. Connections are encrypted as it says (gRFC A29), or else as is configured.
func controlPlane(transport credentials.TransportCredentials) ([]grpc.DialOption, error) {
	either, err := xds.NewClientCredentials(xds.ClientOptions{FallbackCreds: transport})
	if err != nil {
		return nil, fmt.Errorf("credentials of a control plane: %w", err)
	}

	return []grpc.DialOption{grpc.WithTransportCredentials(either)}, nil
}
