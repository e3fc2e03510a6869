// Package protocheck checks the protos of a repository before code is generated from them: they compile, a gateway would start with
// them, and Go finds their code. It reads the options of the plugins from buf's template.
//
// It is apart from protolint, which protoc-gen-portico uses as well, because that plugin needs neither a compiler nor a template.
// It gives no advice: portico lint does.
package protocheck

import (
	"context"
	"errors"
	"path"
	"path/filepath"

	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// Repository says where the protos are. Paths are relative to Root.
type Repository struct {
	// Root is the folder that buf runs in. Empty: the working directory.
	Root string
	// Protos is the folder from which they import one another.
	Protos string
	// Template is the file of buf's template, by which code is generated. If there is none, no code is.
	Template string
}

// path is a path for the operating system.
func (r Repository) path(name string) string {
	name = filepath.FromSlash(name)
	if filepath.IsAbs(name) {
		return name
	}

	return filepath.Join(r.Root, name)
}

// Check returns the findings by position, with paths as those of Repository. Routes and policies are checked if the template has
// protoc-gen-portico. An error is not about the protos.
func Check(ctx context.Context, repository Repository) ([]protolint.Finding, error) {
	tree, err := protosource.Dir(repository.path(repository.Protos))
	if err != nil {
		return nil, err
	}

	files, err := tree.Compile(ctx)
	if err != nil {
		return Sources(repository.Protos, err)
	}

	settings, served, err := repository.settings()
	if err != nil {
		return nil, err
	}

	settings.Path = func(file string) string {
		if _, own := tree[file]; own {
			return path.Join(filepath.ToSlash(repository.Protos), file)
		}

		// It is of a gRPC API configuration, which the template names.
		return file
	}

	if !served {
		return protolint.GoPackages(files, settings), nil
	}

	return protolint.Faults(files, settings), nil
}

// Sources makes findings of an error of protosource about files of a folder. It returns any other error.
func Sources(dir string, err error) ([]protolint.Finding, error) {
	faults, ok := errors.AsType[protosource.FaultsError](protosource.Below(dir, err))
	if !ok {
		return nil, err
	}

	findings := make([]protolint.Finding, 0, len(faults))
	for _, fault := range faults {
		findings = append(findings, protolint.Finding{
			Position: fault.Position, Rule: protolint.ProtoInvalid, Message: fault.Message, Refused: true,
		})
	}

	return findings, nil
}
