package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user has no name: there is no /etc/passwd. Kubernetes checks runAsNonRoot by the number.
const user = "65532:65532"

// write writes the image layout (github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md).
func (r release) write(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("%s exists", dir)
	}

	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)

	for _, p := range r.programs {
		platform, err := v1.ParsePlatform(p.platform)
		if err != nil {
			return fmt.Errorf("platform %q: %w", p.platform, err)
		}

		image, err := r.image(*platform, p.path)
		if err != nil {
			return fmt.Errorf("image for %s: %w", p.platform, err)
		}

		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}

	index, ok := mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	if !ok {
		return errors.New("index: annotations made another type of it")
	}

	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}

	// What loads the layout takes the tag from here.
	return path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version}))
}

// image is the image of one platform.
func (r release) image(platform v1.Platform, path string) (v1.Image, error) {
	layer, err := r.layer(path)
	if err != nil {
		return nil, err
	}

	created := v1.Time{Time: r.created.UTC().Truncate(time.Second)}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)

	image, err := mutate.ConfigFile(base, &v1.ConfigFile{
		Architecture: platform.Architecture, OS: platform.OS, Variant: platform.Variant, Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:         user,
			Entrypoint:   []string{"/" + programPath},
			Cmd:          []string{"serve", "--config", "/etc/portico/portico.yaml"},
			Env:          []string{"PATH=/usr/bin"},
			WorkingDir:   "/",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}, "8082/tcp": {}},
			Labels:       r.labels(),
			StopSignal:   "SIGTERM",
		},
	})
	if err != nil {
		return nil, err
	}

	return mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: created, CreatedBy: "deploy/image", Comment: "portico, its license, CA certificates"},
	})
}

// labels are those of github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md.
func (r release) labels() map[string]string {
	const repository = "https://github.com/portico-gateway/portico"

	return map[string]string{
		"org.opencontainers.image.title":         "Portico",
		"org.opencontainers.image.description":   "A gateway from REST to gRPC",
		"org.opencontainers.image.version":       r.version,
		"org.opencontainers.image.revision":      r.revision,
		"org.opencontainers.image.created":       r.created.UTC().Format(time.RFC3339),
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.source":        repository,
		"org.opencontainers.image.url":           repository,
		"org.opencontainers.image.documentation": repository + "/blob/main/docs/deployment.md",
	}
}
