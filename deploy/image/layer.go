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

// Paths in the image. Go reads the certificates there if SSL_CERT_FILE is not set, and no file of /etc/ssl/certs was mounted. They are
// not in that folder, since Go would read them as well as those of SSL_CERT_FILE, which is to replace them
// (crypto/x509/root_linux.go, root_unix.go).
const (
	programPath = "usr/bin/portico"
	rootsPath   = "etc/ssl/cert.pem"
	licensePath = "usr/share/doc/portico/LICENSE"
)

// layer has the files of the image and the folders above them. They belong to root, so the user of the image cannot change them.
func (r release) layer(program string) (v1.Layer, error) {
	files := make(map[string][]byte)

	for name, path := range map[string]string{programPath: program, licensePath: r.license} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}

		files[name] = data
	}

	files[rootsPath] = roots()

	var buf bytes.Buffer

	w := tar.NewWriter(&buf)
	done := make(map[string]bool)

	for _, name := range []string{rootsPath, programPath, licensePath} {
		if err := r.addFolders(w, path.Dir(name), done); err != nil {
			return nil, err
		}

		mode := int64(0o444)
		if name == programPath {
			mode = 0o555
		}

		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(files[name])), ModTime: r.created}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}

		if _, err := w.Write(files[name]); err != nil {
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
