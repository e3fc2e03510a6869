package config

import (
	"errors"
	"os"
	"reflect"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/yamldoc"
)

// Load is Read, with the defaults filled in and the result checked. The error names every problem, each by its place in the file or
// its environment variable, and by the path of its setting.
func Load(path string, environ []string) (Config, error) {
	c, err := Read(path, environ)

	// What could be read is checked all the same.
	if !errors.Is(err, ErrUnreadable) {
		c = c.WithDefaults()
		err = c.Origins().Locate(errors.Join(err, c.Validate()))
	}

	if err != nil {
		return Config{}, err
	}

	return c, nil
}

// ErrUnreadable is in the error of Read if the file has a part that could not be read. Other settings may be in that part, so none
// can be said to be missing.
var ErrUnreadable = errors.New("the file has a part that cannot be read")

// unreadableError is an error that is ErrUnreadable, without saying so.
type unreadableError struct{ error }

func (e unreadableError) Unwrap() error { return e.error }

func (unreadableError) Is(target error) bool { return target == ErrUnreadable }

// Read reads the file (none if path is empty) and lays the environment (as of os.Environ) over it. With an error it returns what
// could be read. The error and the configuration know where each setting was set; see Origins.
func Read(path string, environ []string) (Config, error) {
	c := Config{origins: &Origins{file: path, set: map[string]Origin{}}}

	var fileErr error

	if path != "" {
		text, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
		if err != nil {
			return c, unreadableError{err}
		}

		fileErr = decode(path, text, &c)
	}

	err := errors.Join(fileErr, overlay(&c, environ))
	c.origins.values = c.WithDefaults().values()

	return c, err
}

// decode reads a file as far as it goes. The error names every fault with its place.
func decode(file string, text []byte, c *Config) error {
	err := yamldoc.Decode(text, c, true)

	var (
		typed  *yaml.TypeError
		second *yamldoc.SecondDocumentError
	)

	if err != nil && !errors.As(err, &typed) && !errors.As(err, &second) {
		line, reason := yamldoc.SyntaxReason(text, err)

		return unreadableError{&LocatedFault{Origin: Origin{File: file, Line: line}, Reason: reason, err: err}}
	}

	found := fitting{file: file, set: c.origins.set}
	found.walk(text, reflect.TypeFor[Config]())

	if typed != nil && len(found.faults) == 0 {
		found.faults = append(found.faults, &LocatedFault{Origin: Origin{File: file}, Reason: typed.Error(), err: typed})
	}

	if second != nil {
		place := Origin{File: file, Line: second.Line}
		found.faults = append(found.faults, &LocatedFault{Origin: place, Reason: second.Reason(), err: second})
	}

	if err := errors.Join(found.faults...); found.lost {
		return unreadableError{err}
	}

	return errors.Join(found.faults...)
}
