package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// image is one in the OCI image layout (github.com/opencontainers/image-spec).
type image struct {
	config imageConfig
	// layer is a tar file.
	layer []byte
}

// descriptor is of a blob.
type descriptor struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ OS, Architecture string }
	Annotations       map[string]string
}

type imageConfig struct {
	OS, Architecture, Created string

	Config struct {
		User, WorkingDir     string
		Entrypoint, Cmd, Env []string
		ExposedPorts         map[string]struct{}
		Labels               map[string]string
	}
	RootFS struct {
		Type    string
		DiffIDs []string `json:"diff_ids"`
	}
}

// openImage reads the image for this platform. Digests and sizes have to be right all the way.
func (r release) openImage(t *testing.T) image {
	t.Helper()

	files := make(map[string][]byte)

	entries(t, strings.NewReader(read(t, r.file("portico_"+tag+"_image.tar"))), func(header *tar.Header, content io.Reader) {
		files[path.Clean(header.Name)] = readAll(t, content)
	})

	var layout struct{ ImageLayoutVersion string }
	decode(t, files["oci-layout"], &layout)

	var top, index struct{ Manifests []descriptor }
	decode(t, files["index.json"], &top)

	if layout.ImageLayoutVersion != "1.0.0" || len(top.Manifests) != 1 ||
		top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != tag {
		t.Fatalf("layout %q of %+v", layout.ImageLayoutVersion, top.Manifests)
	}

	decode(t, blob(t, files, top.Manifests[0]), &index)

	if len(index.Manifests) != 1 || index.Manifests[0].Platform.OS != "linux" ||
		index.Manifests[0].Platform.Architecture != runtime.GOARCH {
		t.Fatalf("%+v", index.Manifests)
	}

	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, blob(t, files, index.Manifests[0]), &manifest)

	if len(manifest.Layers) != 1 {
		t.Fatalf("%d layers", len(manifest.Layers))
	}

	zipped, err := gzip.NewReader(bytes.NewReader(blob(t, files, manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}

	i := image{layer: readAll(t, zipped)}
	decode(t, blob(t, files, manifest.Config), &i.config)

	if diff := cmp.Diff([]string{digest(i.layer)}, i.config.RootFS.DiffIDs); diff != "" || i.config.RootFS.Type != "layers" {
		t.Errorf("root file system %q of %s", i.config.RootFS.Type, diff)
	}

	return i
}

func blob(t *testing.T, files map[string][]byte, of descriptor) []byte {
	t.Helper()

	data := files["blobs/"+strings.Replace(of.Digest, ":", "/", 1)]
	if len(data) != of.Size || digest(data) != of.Digest {
		t.Fatalf("the blob of %+v has %d bytes, digest %s", of, len(data), digest(data))
	}

	return data
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)

	return "sha256:" + hex.EncodeToString(sum[:])
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()

	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}

	return data
}

func decode(t *testing.T, data []byte, to any) {
	t.Helper()

	if err := json.Unmarshal(data, to); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}
