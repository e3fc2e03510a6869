package upstream

import (
	"context"
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
)

// tlsCredentials are gRPC's for TLS, with a configuration that is fetched for each handshake: certificates change while the gateway
// runs. The name that TLS sends and verifies is the configuration's server name, or else the host of the authority; gRPC's own
// credentials know the authority only. Their Info has no server name, which gRPC would use as :authority.
type tlsCredentials struct {
	credentials.TransportCredentials

	config func() *tls.Config
}

func newTLSCredentials(config func() *tls.Config) tlsCredentials {
	return tlsCredentials{credentials.NewTLS(nil), config}
}

func (c tlsCredentials) ClientHandshake(
	ctx context.Context, authority string, conn net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	config := c.config()
	if config.ServerName != "" {
		authority = config.ServerName
	}

	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}

func (c tlsCredentials) Clone() credentials.TransportCredentials { return c }
