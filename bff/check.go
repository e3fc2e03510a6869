package bff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// Findings are what CheckConfig or CheckOnline found.
type Findings struct {
	// Faults joins what is wrong; nil if nothing is. What is wrong with a setting is or wraps a *config.Fault, so that the Origins
	// of the configuration know its place.
	Faults error
	// Warnings joins what a gateway can work with, and somebody should look at; nil if there is nothing.
	Warnings error
	// Passed are what CheckOnline found to be right.
	Passed []Passed
	// Routes are those that the gateway would serve, as far as the faults let it be seen.
	Routes []Route
}

// Passed is a check with a good result.
type Passed struct {
	// Path is the setting as in the file.
	Path string `json:"path"`
	// Text says what was found.
	Text string `json:"text"`
}

// CheckConfig finds all that is wrong with a configuration, for a gateway with these options: what Compile, Open and Run refuse,
// all at once, and what they accept though it cannot be meant, such as a certificate that has expired. It reads the files that the
// configuration names and tries to listen on its addresses for a moment. It makes no connections, looks up no names, and leaves
// nothing running.
func CheckConfig(ctx context.Context, cfg config.Config, opts ...Option) Findings {
	var found Findings

	found.listeners(ctx, found.content(ctx, cfg, opts))

	return found
}

// content finds what is wrong with a configuration and with the files that it names. It returns it with its defaults.
func (f *Findings) content(ctx context.Context, cfg config.Config, opts []Option) config.Config {
	compiled, err := compile(cfg, opts)
	f.fault(err)

	if compiled == nil {
		cfg = cfg.WithDefaults()
		f.fault(cfg.ValidateWithAuthenticator())
	} else {
		f.Routes = compiled.Routes()
		cfg = compiled.config

		invalid := compiled.validate()
		f.fault(invalid)

		if err == nil && invalid == nil {
			f.fault(compiled.checkHandlers(ctx))
		}
	}

	f.files(ctx, cfg)

	return cfg
}

// fault adds the faults that are joined in an error.
func (f *Findings) fault(err error) { f.Faults = errors.Join(f.Faults, err) }

// faultf adds a fault of a setting.
func (f *Findings) faultf(path, format string, args ...any) {
	f.fault(&config.Fault{Path: path, Err: fmt.Errorf(format, args...)})
}

// warnf adds a warning about a setting.
func (f *Findings) warnf(path, format string, args ...any) {
	f.Warnings = errors.Join(f.Warnings, &config.Fault{Path: path, Err: fmt.Errorf(format, args...)})
}

// within reports whether there is a fault of this setting, or of one within it.
func (f *Findings) within(path string) bool {
	var nowhere *config.Origins

	return slices.ContainsFunc(nowhere.Faults(f.Faults), func(fault *config.LocatedFault) bool {
		rest, ok := strings.CutPrefix(fault.Path, path)

		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// merge adds what other checks have found.
func (f *Findings) merge(other Findings) {
	f.fault(other.Faults)
	f.Warnings = errors.Join(f.Warnings, other.Warnings)
	f.Passed = append(f.Passed, other.Passed...)
}

// checkHandlers registers the generated handlers, over connections that lead nowhere, and puts the pages before them.
func (c *Compiled) checkHandlers(ctx context.Context) error {
	stub, err := upstream.NewStub(gateway.ExplainUnary, gateway.ExplainStream)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer stub.Close() //nolint:errcheck // It was never open.

	routing := c.routing
	routing.Limiter = limit.New(c.config.Limits.MaxKeys)

	router, err := gateway.New(ctx, c.routes, c.options.registrations(explained{stub}), routing)
	if err != nil {
		return err
	}

	_, err = c.servePages(router, nil)

	return err
}
