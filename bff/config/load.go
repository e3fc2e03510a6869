package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/yamldoc"
)

// EnvPrefix starts the names of all environment variables: server.address is PORTICO_SERVER_ADDRESS, the first issuer's JWKS file
// PORTICO_AUTH_ISSUERS_0_JWKS_FILE, and lists are separated by commas.
const EnvPrefix = "PORTICO_"

// Load is Read, with the defaults filled in and the result checked. The error names every problem: a key or type that does not fit
// by its line, a value by the path of its setting.
func Load(path string, environ []string) (Config, error) {
	c, err := Read(path, environ)

	// What could be read is checked all the same.
	if _, ok := errors.AsType[unreadableError](err); ok {
		return Config{}, err
	}

	c = c.WithDefaults()

	if err := errors.Join(err, c.Validate()); err != nil {
		return Config{}, err
	}

	return c, nil
}

// unreadableError is about a file with a part that could not be read. Other settings may be in that part, so none is said to be
// missing.
type unreadableError struct{ error }

func (e unreadableError) Unwrap() error { return e.error }

// Read reads the file (none if path is empty) and lays the environment (as of os.Environ) over it. With an error it returns what
// could be read.
func Read(path string, environ []string) (Config, error) {
	var (
		c       Config
		fileErr error
	)

	if path != "" {
		text, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
		if err != nil {
			return Config{}, unreadableError{err}
		}

		fileErr = decode(path, text, &c)
	}

	variables, err := fittingVariables(env.ToMap(environ))

	return c, errors.Join(fileErr, err, overlay(&c, variables))
}

// decode reads a file as far as it goes. The error names every fault with its place.
func decode(file string, text []byte, c *Config) error {
	err := yamldoc.Decode(text, c, true)

	var (
		faults []error
		lost   bool
		typed  *yaml.TypeError
		second *yamldoc.SecondDocumentError
	)

	if errors.As(err, &typed) {
		if faults, lost = misfits(file, text, reflect.TypeFor[Config]()); len(faults) == 0 {
			faults = []error{fmt.Errorf("%s: %w", file, typed)}
		}
	}

	if errors.As(err, &second) {
		faults = append(faults, fmt.Errorf("%s:%d: %s", file, second.Line, second.Reason()))
	}

	if err != nil && len(faults) == 0 {
		return unreadableError{yamldoc.SyntaxFault(file, text, err)}
	}

	if lost {
		return unreadableError{errors.Join(faults...)}
	}

	return errors.Join(faults...)
}

func overlay(c *Config, environ map[string]string) error {
	if err := env.ParseWithOptions(c, env.Options{Prefix: EnvPrefix, Environment: environ}); err != nil {
		return fmt.Errorf("environment: %w", err)
	}

	for _, name := range upstreamNames(environ) {
		upstream := c.Upstreams[name]

		prefix := upstreamPrefix + strings.ToUpper(name) + "_"
		if err := env.ParseWithOptions(&upstream, env.Options{Prefix: prefix, Environment: environ}); err != nil {
			return fmt.Errorf("environment: %w", err)
		}

		if c.Upstreams == nil {
			c.Upstreams = map[string]Upstream{}
		}

		c.Upstreams[name] = upstream
	}

	return nil
}

const upstreamPrefix = EnvPrefix + "UPSTREAMS_"

// upstreamNames finds the upstreams that the environment names. A name may have a "_", so it ends at the first field that follows
// it.
func upstreamNames(environ map[string]string) []string {
	var fields, names []string
	for field := range reflect.TypeFor[Upstream]().Fields() {
		fields = append(fields, "_"+field.Tag.Get("env")+field.Tag.Get("envPrefix"))
	}

	for key := range environ {
		rest, ok := strings.CutPrefix(key, upstreamPrefix)
		if !ok {
			continue
		}

		for _, field := range fields {
			if name, _, ok := strings.Cut(rest, field); ok && name != "" {
				names = append(names, strings.ToLower(name))

				break
			}
		}
	}

	return names
}
