package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Paths in the image. Go reads the certificates there if SSL_CERT_FILE is not set and nothing is mounted where Debian has them.
// They are not in /etc/ssl/certs, since Go reads that folder in addition to SSL_CERT_FILE, which is to replace them
// (crypto/x509/root_linux.go and root_unix.go).
const (
	programPath = "usr/bin/portico"
	rootsPath   = "etc/ssl/cert.pem"
	licensePath = "usr/share/doc/portico/LICENSE"
)

// layer has the files of the image and the folders above them. They belong to root, so the user of the image cannot change them.
func (r release) layer(program string) (v1.Layer, error) {
	executable, err := os.ReadFile(program) //nolint:gosec // It is named on the command line.
	if err != nil {
		return nil, err
	}

	license, err := os.ReadFile(r.license)
	if err != nil {
		return nil, err
	}

	files := []struct {
		name string
		mode int64
		data []byte
	}{
		{rootsPath, 0o444, roots()},
		{programPath, 0o555, executable},
		{licensePath, 0o444, license},
	}

	var buf bytes.Buffer

	w := tar.NewWriter(&buf)
	done := make(map[string]bool)

	for _, file := range files {
		if err := r.addFolders(w, path.Dir(file.name), done); err != nil {
			return nil, err
		}

		header := &tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.data)), ModTime: r.created}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}

		if _, err := w.Write(file.data); err != nil {
			return nil, err
		}
	}

	if err := w.Close(); err != nil {
		return nil, err
	}

	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression))
}

// addFolders adds a folder after those above it, each once.
func (r release) addFolders(w *tar.Writer, dir string, done map[string]bool) error {
	if dir == "." || done[dir] {
		return nil
	}

	if err := r.addFolders(w, path.Dir(dir), done); err != nil {
		return err
	}

	done[dir] = true

	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: r.created})
}
