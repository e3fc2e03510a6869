package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// tlsCredentials are gRPC's for TLS, with a configuration that is asked for at each handshake: certificates change while the
// gateway runs. The name that TLS sends and verifies is the configuration's server name, or else the host of the authority; gRPC's
// own credentials know the authority only.
type tlsCredentials struct{ config func() *tls.Config }

func (c tlsCredentials) ClientHandshake(
	ctx context.Context, authority string, conn net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	config := c.config()
	if config.ServerName != "" {
		authority = config.ServerName
	}

	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}

func (tlsCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are a client's credentials")
}

// Info says nothing of a server name: gRPC would take it for :authority.
func (tlsCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (c tlsCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is deprecated, and no one calls it.
func (tlsCredentials) OverrideServerName(string) error {
	return errors.New("the server name is configuration")
}
