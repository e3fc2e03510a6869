package protopos

import (
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"
)

// Locate returns the path of a file within a folder, by the path by which it is imported: for plugins, which buf runs in the folder
// of its buf.yaml and tells only the latter. If the file is in none of the modules of buf.yaml, it is that one.
func Locate(root fs.FS, imported string) string {
	// https://buf.build/docs/configuration/v2/buf-yaml, and version 1 of buf.work.yaml.
	var workspace struct {
		Modules []struct {
			Path string `yaml:"path"`
		} `yaml:"modules"`
		Directories []string `yaml:"directories"`
	}

	for _, name := range []string{"buf.yaml", "buf.work.yaml"} {
		// What is wrong with it, buf said.
		if data, err := fs.ReadFile(root, name); err == nil {
			_ = yaml.Unmarshal(data, &workspace)
		}
	}

	folders := make([]string, 0, 2+len(workspace.Modules)+len(workspace.Directories))
	folders = append(folders, ".", "proto")

	for _, module := range workspace.Modules {
		folders = append(folders, module.Path)
	}

	for _, folder := range append(folders, workspace.Directories...) {
		name := path.Join(folder, imported)
		if info, err := fs.Stat(root, name); err == nil && info.Mode().IsRegular() {
			return name
		}
	}

	return imported
}
