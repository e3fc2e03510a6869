package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// tlsCredentials are gRPC's for TLS, with a configuration that is asked for at each handshake: certificates change while the
// gateway runs.
type tlsCredentials struct{ config func() *tls.Config }

func (c tlsCredentials) ClientHandshake(
	ctx context.Context, authority string, conn net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	//nolint:wrapcheck // gRPC says what it did.
	return credentials.NewTLS(c.config()).ClientHandshake(ctx, authority, conn)
}

func (tlsCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are a client's credentials")
}

func (c tlsCredentials) Info() credentials.ProtocolInfo { return credentials.NewTLS(c.config()).Info() }

func (c tlsCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is deprecated, and no one calls it.
func (tlsCredentials) OverrideServerName(string) error {
	return errors.New("the server name is configuration")
}
