package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

const (
	openIDVariable = "PORTICO_DEV_OPENID_ADDRESS"
	openIDDefault  = "127.0.0.1:8084"
	// openIDOff is the address of no provider.
	openIDOff = "-"
	// defaultOpenIDLife is for access tokens, which clients refresh.
	defaultOpenIDLife = 5 * time.Minute
)

// openID is where the OpenID provider of `portico dev` listens. Without listeners it is off.
type openID struct {
	issuer    string
	listeners []net.Listener
}

// openIDAddress is where the provider is to listen, and the flag or the variable that says so.
func (d *dev) openIDAddress() (address, setting string) {
	if d.openID != "" {
		return d.openID, "--openid-address"
	}

	return cmp.Or(os.Getenv(openIDVariable), openIDDefault), openIDVariable
}

// listenOpenID takes the address of the provider. The caller closes the result.
func (d *dev) listenOpenID(ctx context.Context) (openID, error) {
	address, _ := d.openIDAddress()
	if address == openIDOff {
		return openID{}, nil
	}

	o, err := listenOpenID(ctx, address)
	if err != nil {
		return openID{}, fmt.Errorf("OpenID provider (--openid-address): %w", err)
	}

	return o, nil
}

// listenOpenID listens on an address, and on loopback with both versions of IP, as browsers may take either for localhost. That is
// the issuer's host, so that for browsers it is another site than a gateway at 127.0.0.1.
func listenOpenID(ctx context.Context, address string) (openID, error) {
	const (
		v4, v6 = "127.0.0.1", "::1"
		// How often to look for a port that is free on both.
		attempts = 10
	)

	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return openID{}, err
	}

	if host != localhost && host != v4 && host != v6 {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return openID{}, err
		}

		return newOpenID(cmp.Or(hostOf(address), localhost), l), nil
	}

	for attempt := 1; ; attempt++ {
		first, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(v4, port))
		if err != nil {
			return openID{}, err
		}

		second, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(v6, portOf(first.Addr())))

		switch {
		case err == nil:
			return newOpenID(localhost, first, second), nil
		case !errors.Is(err, syscall.EADDRINUSE):
			// This machine has no IPv6.
			return newOpenID(localhost, first), nil
		}

		_ = first.Close()

		if port != "0" || attempt == attempts {
			return openID{}, err
		}
	}
}

func newOpenID(host string, listeners ...net.Listener) openID {
	authority := net.JoinHostPort(host, portOf(listeners[0].Addr()))

	return openID{issuer: "http://" + authority + devprovider.DevPath, listeners: listeners}
}

func portOf(address net.Addr) string {
	// What a listener says is an address.
	_, port, _ := net.SplitHostPort(address.String())

	return port
}

func (o openID) close() {
	for _, l := range o.listeners {
		// One that serves has been closed.
		_ = l.Close()
	}
}

// configure lets users log in at the provider, and the gateway accept its tokens, which the key of the token issuer signs.
func (o openID) configure(cfg *config.Config, issuer *devissuer.DevIssuer) {
	if o.issuer == "" {
		return
	}

	cfg.Auth.Issuers = append(cfg.Auth.Issuers, config.Issuer{
		Issuer: o.issuer, Audiences: []string{devissuer.Audience}, Algorithms: []string{"EdDSA"}, JWKSFile: issuer.JWKSFile(),
	})
	cfg.Auth.Sessions = sessionsFor(*cfg, o.issuer)
}

// serve runs the provider until stop is called, which waits for requests for a moment.
func (o openID) serve(issuer *devissuer.DevIssuer, tokenLifetime time.Duration, log *observe.Log) (stop func(), err error) {
	if o.issuer == "" {
		return func() {}, nil
	}

	provider, err := devprovider.New(o.issuer, issuer, devprovider.Options{
		TokenLifetime: tokenLifetime, BackChannelPath: session.BackchannelPath, Logger: log.Logger,
	})
	if err != nil {
		return nil, err
	}

	const (
		headerTimeout = 10 * time.Second
		drain         = time.Second
	)

	server := &http.Server{Handler: provider, ReadHeaderTimeout: headerTimeout}

	var running sync.WaitGroup

	for _, l := range o.listeners {
		running.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				log.Error("the OpenID provider stopped", "error", err)
			}
		})
	}

	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()

		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}

		running.Wait()
	}, nil
}
