package config

import (
	"fmt"
	"strings"
)

// Origin is where the value of a setting comes from: a place in the file, an environment variable, or neither. The zero value is
// neither: the default, or the program.
type Origin struct {
	// File is the name of the file as it was given.
	File string `json:"file,omitempty"`
	// Line and Column count from 1. Zero: not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Variable is the name of the environment variable.
	Variable string `json:"variable,omitempty"`
	// Program means that the program has changed the value since it was read.
	Program bool `json:"program,omitempty"`
}

// String returns "portico.yaml:3:5", the name of the environment variable, or nothing for the zero value.
func (o Origin) String() string {
	switch {
	case o.Program:
		return "program"
	case o.Variable != "":
		return o.Variable
	case o.Column > 0:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	default:
		return o.File
	}
}

// Origins says where the settings of a configuration were set. It is immutable and safe for concurrent use. Nil is valid: it knows
// of no setting, as for a configuration that a program made.
type Origins struct {
	file string
	set  map[string]Origin
	// values are those that were read, with the defaults, by their settings.
	values map[string]string
}

// Origins returns where the settings were set. Nil if the configuration was not read by this package.
func (c Config) Origins() *Origins { return c.origins }

// File is the name of the file. Empty if there is none.
func (o *Origins) File() string {
	if o == nil {
		return ""
	}

	return o.file
}

// Lookup returns where exactly a setting was set, by its path, such as "upstreams.user.addresses". False if it has its default, or
// is part of a list that was set as a whole.
func (o *Origins) Lookup(path string) (Origin, bool) {
	if o == nil {
		return Origin{}, false
	}

	found, ok := o.set[path]

	return found, ok
}

// Of returns where a setting was set or, if it was not, the nearest enclosing one that was. For one that is missing altogether this
// is the file, without a line.
func (o *Origins) Of(path string) Origin {
	for ; path != ""; path = enclosing(path) {
		if found, ok := o.Lookup(path); ok {
			return found
		}
	}

	return Origin{File: o.File()}
}

// enclosing is the path of the setting that this one is a part of: "a.b" for "a.b[0]", "a" for "a.b".
func enclosing(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }
