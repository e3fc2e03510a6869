package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Shown is a configuration as operators may see it: with its defaults, and with "xxxxx" in place of secrets.
type Shown struct {
	// Hash is that of the configuration; see Config.Hash.
	Hash string `json:"hash"`
	// File is the name of the file. Empty if there is none.
	File string `json:"file,omitempty"`
	// Configuration has all settings, as in the file.
	Configuration any `json:"configuration"`
	// Origins are those of the settings that have not their default, by their paths. Nil if the configuration was not read from a
	// file and the environment.
	Origins map[string]Origin `json:"origins,omitempty"`

	config Config
}

// Shown returns the configuration as operators may see it.
func (c Config) Shown() (Shown, error) {
	c = c.WithDefaults()
	shown := Shown{Hash: c.Hash(), File: c.origins.File(), config: c}

	if c.origins != nil {
		shown.Origins = map[string]Origin{}
	}

	find := c.finder()
	node := document{text: redact, setting: func(path string, _ *yaml.Node) {
		if origin := find(path); origin != (Origin{}) {
			shown.Origins[path] = origin
		}
	}}.node(reflect.ValueOf(c), "", "")

	return shown, node.Decode(&shown.Configuration)
}

// YAML returns the configuration as a file, which can be read again, but for its secrets. A comment before it has its hash. With
// origins, a comment behind each setting says where it was set.
func (s Shown) YAML(origins bool) ([]byte, error) {
	node := document{text: redact, setting: func(path string, value *yaml.Node) {
		if origins && s.Origins != nil {
			value.LineComment = "# " + cmp.Or(s.Origins[path].String(), "default")
		}
	}}.node(reflect.ValueOf(s.config), "", "")

	var text bytes.Buffer

	fmt.Fprintf(&text, "# hash %s", s.Hash)

	if s.File != "" {
		fmt.Fprintf(&text, ", file %s", s.File)
	}

	text.WriteString("\n")

	const indent = 2

	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(indent)

	if err := encoder.Encode(node); err != nil {
		return nil, err
	}

	return text.Bytes(), encoder.Close()
}

// finder returns where settings were set that have values of their own. Zero: the default, or nothing is known.
func (c Config) finder() func(path string) Origin {
	if c.origins == nil {
		return func(string) Origin { return Origin{} }
	}

	now := c.values()

	return func(path string) Origin {
		if now[path] != c.origins.values[path] {
			return Origin{Program: true}
		}

		found, _ := c.origins.Lookup(path)

		return found
	}
}

// values are the settings that have values of their own, as text.
func (c Config) values() map[string]string {
	values := map[string]string{}

	document{setting: func(path string, value *yaml.Node) {
		values[path] = textOf(value)
	}}.node(reflect.ValueOf(c), "", "")

	return values
}

// textOf is a node as text that tells nodes apart.
func textOf(node *yaml.Node) string {
	var text strings.Builder

	text.WriteString(strconv.Quote(node.Tag + node.Value))

	for _, inner := range node.Content {
		text.WriteString(textOf(inner))
	}

	return text.String()
}

// Hash returns 12 hexadecimal digits that tell effective configurations apart: two files with the same settings have the same one,
// whatever their order, comments and explicit defaults, on a machine of any size. Secrets count, but not what is in files that the
// configuration names. It is different in versions with other settings or defaults.
func (c Config) Hash() string {
	c = c.WithDefaults()

	// This default depends on the machine.
	isDefault := c.Overload.MaxInFlight == inFlightPerCPU*runtime.GOMAXPROCS(0)
	if c.origins != nil {
		isDefault = isDefault || c.finder()("overload.max_in_flight") == (Origin{})
	}

	if isDefault {
		c.Overload.MaxInFlight = 0
	}

	text, err := yaml.Marshal(document{setting: func(string, *yaml.Node) {}}.node(reflect.ValueOf(c), "", ""))
	if err != nil {
		panic(fmt.Sprintf("configuration as YAML: %v", err)) // All nodes are made by the encoder.
	}

	const digits = 12

	sum := sha256.Sum256(text)

	return hex.EncodeToString(sum[:])[:digits]
}
