package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Reached is what CheckOnline found at an address of a backend.
type Reached struct {
	// Setting is the field of the configuration: "addresses[0]", "target".
	Setting string
	// Text says what was found, and Err, if it is not nil, why calls would fail.
	Text string
	Err  error
}

const settingTarget = "target"

// maxChecked is how many addresses behind a target are looked at.
const maxChecked = 16

// CheckOnline resolves the target of a backend, connects to its addresses and asks for their health, with the TLS and the authority
// of its connections. The context bounds it.
func CheckOnline(ctx context.Context, config Config) []Reached {
	if controlled(config.Target) {
		return []Reached{{Setting: settingTarget, Text: "not looked up: the control plane has the addresses"}}
	}

	addresses, name := config.Addresses, config.Authority

	if config.Target != "" {
		var err error
		if addresses, err = lookUp(ctx, config.Target); err != nil {
			return []Reached{{Setting: settingTarget, Err: err}}
		}

		addresses, name = addresses[:min(len(addresses), maxChecked)], cmp.Or(name, endpointOf(config.Target))
	}

	var (
		all     = make([]Reached, len(addresses))
		running sync.WaitGroup
	)

	for i, address := range addresses {
		running.Go(func() {
			text, err := checkAddress(ctx, config, address, cmp.Or(name, authority(address)))

			all[i] = Reached{Setting: fmt.Sprintf("addresses[%d]", i), Text: text, Err: err}
			if config.Target != "" {
				all[i].Setting, all[i].Text = settingTarget, address+": "+text
			}

			if config.Target != "" && err != nil {
				all[i].Err = fmt.Errorf("%s: %w", address, err)
			}
		})
	}

	running.Wait()

	return all
}

// endpointOf is the name in a target.
func endpointOf(target string) string {
	if strings.HasPrefix(target, "unix") {
		return authority("unix:")
	}

	if _, rest, ok := strings.Cut(target, "://"); ok {
		_, target, _ = strings.Cut(rest, "/")
	}

	return strings.TrimPrefix(target, "dns:")
}

func checkAddress(ctx context.Context, config Config, address, name string) (string, error) {
	conn, err := dialAddress(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // Nothing was written.

	var encrypted *tls.Conn

	found, transport := "plaintext", insecure.NewCredentials()

	if config.Transport != nil {
		if encrypted, found, err = handshake(ctx, conn, config.Transport(), name); err != nil {
			return "", err
		}

		transport = newTLSCredentials(config.Transport)
	}

	health, err := askHealth(ctx, address, name, transport)
	if err != nil {
		return "", cmp.Or(alert(encrypted), err)
	}

	return found + "; " + health, nil
}

// alertTimeout is how long to wait for an alert of TLS, which a backend has sent long before.
const alertTimeout = time.Second

// alert returns the alert of TLS that a backend has sent after the handshake, as about the certificate of the gateway, which it may
// look at later than that (RFC 8446, section 4.4.2.4). A call that writes meanwhile fails with a broken pipe instead. Nil: there is
// none, or no connection.
func alert(conn *tls.Conn) error {
	if conn == nil {
		return nil
	}

	// An error of the deadline is one of Read as well.
	_ = conn.SetReadDeadline(time.Now().Add(alertTimeout))

	_, err := conn.Read(make([]byte, 1))
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return fmt.Errorf("TLS: %w", remote)
	}

	return nil
}

func dialAddress(ctx context.Context, address string) (net.Conn, error) {
	network, at := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, at = "unix", strings.TrimPrefix(path, "//")
	}

	conn, err := new(net.Dialer).DialContext(ctx, network, at)
	if err == nil {
		return conn, nil
	}

	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, fmt.Errorf("the name %q cannot be resolved: %w", lookup.Name, lookup)
	}

	return nil, fmt.Errorf("no connection: %w", err)
}

// handshake encrypts a connection, and says how, or why the certificate of the backend is refused.
func handshake(ctx context.Context, raw net.Conn, config *tls.Config, authority string) (*tls.Conn, string, error) {
	config.NextProtos = []string{"h2"}

	if config.ServerName == "" {
		config.ServerName = authority
		if host, _, err := net.SplitHostPort(authority); err == nil {
			config.ServerName = host
		}
	}

	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, "", fmt.Errorf("TLS: %w%s", err, refusal(err))
	}

	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "h2" {
		return nil, "", errors.New("TLS: the backend does not offer HTTP/2 (ALPN h2), which gRPC needs")
	}

	return conn, fmt.Sprintf("%s as %s, certificate valid until %s", tls.VersionName(state.Version), config.ServerName,
		state.PeerCertificates[0].NotAfter.UTC().Format("2006-01-02")), nil
}

// refusal says what to do about an error of a handshake, as the end of a sentence. May be empty.
func refusal(err error) string {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && unknown.Cert != nil {
		return fmt.Sprintf("; it was issued by %q: add that authority to tls.ca_file", unknown.Cert.Issuer)
	}

	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "; tls.server_name sets the name to expect"
	}

	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "; the backend may not use TLS"
	}

	return ""
}

// askHealth says what a backend reports (grpc.health.v1). One that does not know the service is as good as one that serves.
func askHealth(ctx context.Context, address, authority string, transport credentials.TransportCredentials) (string, error) {
	if !strings.HasPrefix(address, "unix:") {
		address = "passthrough:///" + address
	}

	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport), grpc.WithAuthority(authority),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
	if err != nil {
		return "", fmt.Errorf("gRPC: %w", err)
	}
	defer conn.Close() //nolint:errcheck // The call is over.

	reply, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})

	switch code := status.Code(err); {
	case strings.Contains(status.Convert(err).Message(), "unexpected HTTP status"):
		return "", fmt.Errorf("it does not speak gRPC: %s", status.Convert(err).Message())
	case err == nil && reply.GetStatus() == healthv1.HealthCheckResponse_SERVING:
		return "health SERVING", nil
	case err == nil:
		return "", fmt.Errorf("its health is %s", reply.GetStatus())
	case code == codes.Unimplemented:
		return "no health service", nil
	case code == codes.NotFound, code == codes.PermissionDenied, code == codes.Unauthenticated:
		return "health " + code.String(), nil
	default:
		return "", fmt.Errorf("gRPC: %s: %s", code, status.Convert(err).Message())
	}
}
