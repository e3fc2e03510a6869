package release_test

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (r release) testImage(t *testing.T) {
	t.Parallel()

	i := r.openImage(t)

	var list []string

	for _, header := range entries(t, bytes.NewReader(i.layer), nil) {
		list = append(list, header.FileInfo().Mode().String()+" "+header.Name)
	}

	if diff := cmp.Diff([]string{
		"drwxr-xr-x etc/", "drwxr-xr-x etc/ssl/", "-r--r--r-- etc/ssl/cert.pem",
		"drwxr-xr-x usr/", "drwxr-xr-x usr/bin/", "-r-xr-xr-x usr/bin/portico",
		"drwxr-xr-x usr/share/", "drwxr-xr-x usr/share/doc/", "drwxr-xr-x usr/share/doc/portico/",
		"-r--r--r-- usr/share/doc/portico/LICENSE",
	}, list); diff != "" {
		t.Errorf("files of the image: %s", diff)
	}

	config := i.config.Config
	if i.config.OS != "linux" || i.config.Architecture != runtime.GOARCH || i.config.Created != committed || config.User != "65532:65532" ||
		config.Labels["org.opencontainers.image.version"] != tag || config.Labels["org.opencontainers.image.revision"] != r.revision ||
		len(config.ExposedPorts) != 3 {
		t.Errorf("%+v", i.config)
	}

	if diff := cmp.Diff([]string{"/usr/bin/portico", "serve", "--config", "/etc/portico/portico.yaml"},
		append(config.Entrypoint, config.Cmd...)); diff != "" {
		t.Error(diff)
	}

	dir := i.unpack(t)
	if read(t, filepath.Join(dir, "usr/bin/portico")) != read(t, r.program()) {
		t.Error("the program of the image is another than that of the archive")
	}

	checkRoots(t, []byte(read(t, filepath.Join(dir, "etc/ssl/cert.pem"))))
}

// checkRoots wants about as many authorities as Mozilla trusts.
func checkRoots(t *testing.T, bundle []byte) {
	t.Helper()

	count := 0

	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if found, err := x509.ParseCertificate(block.Bytes); err != nil || !found.IsCA {
			t.Errorf("certificate %d: %v", count, err)
		}

		count++
	}

	if count < 100 || count > 200 {
		t.Errorf("%d certificates", count)
	}
}

// unpack writes the files of the image to a folder.
func (i image) unpack(t *testing.T) string {
	t.Helper()

	dir := t.TempDir()

	// Folders that nobody may write to could not be removed.
	t.Cleanup(func() { setModes(t, folders(tree(t, dir)), 0o755) })

	entries(t, bytes.NewReader(i.layer), func(header *tar.Header, content io.Reader) {
		to := filepath.Join(dir, filepath.FromSlash(path.Clean("/"+header.Name)))

		var err error

		if header.Typeflag == tar.TypeDir {
			err = os.Mkdir(to, 0o755)
		} else {
			err = os.WriteFile(to, readAll(t, content), header.FileInfo().Mode())
		}

		if err != nil {
			t.Fatal(err)
		}
	})

	return dir
}

func setModes(t *testing.T, paths []string, mode os.FileMode) {
	t.Helper()

	for _, path := range paths {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}
