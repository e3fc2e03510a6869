//go:build xds

package upstream

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/xds"
	_ "google.golang.org/grpc/xds" // Targets "xds:///" need it.
)

// controlPlane leaves everything to the control plane. Connections are encrypted as it decides (gRFC A29), or else as configured.
func controlPlane(transport credentials.TransportCredentials) ([]grpc.DialOption, error) {
	either, err := xds.NewClientCredentials(xds.ClientOptions{FallbackCreds: transport})
	if err != nil {
		return nil, fmt.Errorf("credentials of a control plane: %w", err)
	}

	return []grpc.DialOption{grpc.WithTransportCredentials(either)}, nil
}
