package protocheck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/gomodule"
	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
)

// template is the needed part of a buf.gen.yaml, version 2 (https://buf.build/docs/configuration/v2/buf-gen-yaml).
type template struct {
	Managed struct {
		Enabled bool `yaml:"enabled"`
	} `yaml:"managed"`
	Plugins []plugin `yaml:"plugins"`
	Inputs  []struct {
		Directory string `yaml:"directory"`
	} `yaml:"inputs"`
}

type plugin struct {
	Local words  `yaml:"local"`
	Out   string `yaml:"out"`
	Opt   words  `yaml:"opt"`
}

// words are a string or a list of strings.
type words []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (w *words) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*w = words{node.Value}

		return nil
	}

	return node.Decode((*[]string)(w))
}

// readTemplate returns the zero value if there is no file, or if it is about other protos.
func (r Repository) readTemplate() (template, error) {
	data, err := os.ReadFile(r.path(r.Template))
	if errors.Is(err, fs.ErrNotExist) {
		return template{}, nil
	}

	if err != nil {
		return template{}, err
	}

	var t template
	if err := yaml.Unmarshal(data, &t); err != nil {
		return template{}, fmt.Errorf("%s: %w", r.Template, err)
	}

	for _, input := range t.Inputs {
		if path.Clean(input.Directory) == path.Clean(filepath.ToSlash(r.Protos)) {
			return t, nil
		}
	}

	if len(t.Inputs) > 0 {
		return template{}, nil
	}

	return t, nil
}

// plugin finds a plugin by the name of its command; it is not ok if code is generated without it.
func (t template) plugin(name string) (plugin, bool) {
	for _, p := range t.Plugins {
		if slices.ContainsFunc(p.Local, func(word string) bool { return path.Base(word) == name }) {
			return p, true
		}
	}

	return plugin{}, false
}

// option is the last value of an option; empty: it is not set.
func (p plugin) option(name string) string {
	last := ""

	for option := range strings.SplitSeq(strings.Join(p.Opt, ","), ",") {
		if key, value, _ := strings.Cut(strings.TrimSpace(option), "="); key == name {
			last = value
		}
	}

	return last
}

// settings are those of the plugins. It is not served if there will be no table of services.
func (r Repository) settings() (settings protolint.Settings, served bool, err error) {
	t, err := r.readTemplate()
	if err != nil {
		return settings, false, err
	}

	if settings.GoPackage, err = t.goPackage(r); err != nil {
		return settings, false, err
	}

	if gateway, ok := t.plugin("protoc-gen-portico-gateway"); ok {
		settings.NoDeleteBody = gateway.option("allow_delete_body") != "true"
	}

	table, served := t.plugin("protoc-gen-portico")

	p, err := policy.Default(table.option("default_policy"))
	if err != nil {
		return settings, false, fmt.Errorf("%s: option default_policy of protoc-gen-portico: %w", r.Template, err)
	}

	settings.Defaults = policy.Defaults{}.Over(p)

	if file := table.option("grpc_api_configuration"); file != "" {
		data, err := os.ReadFile(r.path(file))
		if err != nil {
			return settings, false, fmt.Errorf("%s: option grpc_api_configuration of protoc-gen-portico: %w", r.Template, err)
		}

		if settings.Rules, err = schema.ParseRules(file, data); err != nil {
			return settings, false, err
		}
	}

	return settings, served, nil
}

// Composites returns the folder that has the packages of composites; empty if no list of them is generated.
func (r Repository) Composites() (folder string, err error) {
	t, err := r.readTemplate()
	if err != nil {
		return "", err
	}

	for _, p := range t.Plugins {
		if folder = p.option("composites"); folder != "" {
			return folder, nil
		}
	}

	return "", nil
}

// GoPackage returns what the import path of the code of a file has to be, by the path of the file; nil if that is not known.
func (r Repository) GoPackage() (func(file string) string, error) {
	t, err := r.readTemplate()
	if err != nil {
		return nil, err
	}

	return t.goPackage(r)
}

// goPackage returns what the import path of a file's code has to be; nil if that is not known.
func (t template) goPackage(r Repository) (func(file string) string, error) {
	p, ok := t.plugin("protoc-gen-go")
	if !ok || t.Managed.Enabled || p.option("paths") != "source_relative" {
		return nil, nil //nolint:nilnil // See above.
	}

	for _, option := range p.Opt {
		// The option, not the file, says which package it is.
		if strings.HasPrefix(option, "M") || strings.Contains(option, ",M") {
			return nil, nil //nolint:nilnil // See above.
		}
	}

	module, root, err := gomodule.Find(r.path(p.Out))
	if err != nil || module == "" {
		return nil, err
	}

	return func(file string) string { return path.Join(module, root, path.Dir(file)) }, nil
}
