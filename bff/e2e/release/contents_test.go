package release_test

import (
	"archive/tar"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (r release) testFiles(t *testing.T) {
	t.Parallel()

	want := []string{"SHA256SUMS", "portico_" + tag + "_image.tar", name(".cdx.json"), name(".tar.gz")}
	if got := names(t, r.file("")); !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// names are the files of a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}

	all := make([]string, 0, len(entries))
	for _, entry := range entries {
		all = append(all, entry.Name())
	}

	return all
}

func (r release) testArchive(t *testing.T) {
	t.Parallel()

	file, err := os.Open(r.file(name(".tar.gz")))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}

	modes := make(map[string]fs.FileMode)

	for _, header := range entries(t, zipped, nil) {
		modes[strings.TrimPrefix(header.Name, name("")+"/")] = fs.FileMode(header.Mode)
	}

	want := map[string]fs.FileMode{
		"": 0o755, "portico": 0o755, "LICENSE": 0o644, "README.md": 0o644, "portico.example.yaml": 0o644,
	}

	if _, err := os.Stat(filepath.Join(r.source, "deploy/systemd")); err == nil {
		want["systemd/"] = 0o755

		for _, unit := range names(t, filepath.Join(r.source, "deploy/systemd")) {
			want["systemd/"+unit] = 0o644
		}
	}

	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files of the archive: %s", diff)
	}
}

// entries are those of a tar file, none of which has anything of the machine that made it. Files are given to take, if there is one.
func entries(t *testing.T, r io.Reader, take func(*tar.Header, io.Reader)) []*tar.Header {
	t.Helper()

	at, err := time.Parse(time.RFC3339, committed)
	if err != nil {
		t.Fatal(err)
	}

	var all []*tar.Header

	for reader := tar.NewReader(r); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}

		if err != nil {
			t.Fatal(err)
		}

		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Gname != "" || !header.ModTime.Equal(at) {
			t.Errorf("%s is of %d %d %q %q at %v", header.Name, header.Uid, header.Gid, header.Uname, header.Gname, header.ModTime)
		}

		all = append(all, header)

		if take != nil {
			take(header, reader)
		}
	}
}

// A static program asks for no interpreter and no libraries: `ldd` calls it not a dynamic executable.
func (r release) testStatic(t *testing.T) {
	t.Parallel()

	file, err := elf.Open(r.program())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has %v", p.Type)
		}
	}

	// Folders of the machine are not in it, neither ours nor that of modules.
	text := read(t, r.program())
	for _, dir := range []string{filepath.Dir(r.source), "/pkg/mod/github.com/"} {
		if strings.Contains(text, dir) {
			t.Errorf("the program contains %s", dir)
		}
	}
}

// The SBOM names the module of the program, and each that is linked into it, in its version.
func (r release) testSBOM(t *testing.T) {
	t.Parallel()

	type component struct{ Type, Name, Version, Purl string }

	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct{ Component component }
		Components             []component
	}
	if err := json.Unmarshal([]byte(read(t, r.file(name(".cdx.json")))), &bom); err != nil {
		t.Fatal(err)
	}

	of := bom.Metadata.Component
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || of.Version != tag || of.Type != "application" ||
		!strings.HasPrefix(of.Purl, "pkg:golang/github.com/portico-gateway/portico@"+tag) {
		t.Errorf("%s %s of %+v", bom.BOMFormat, bom.SpecVersion, of)
	}

	info, err := buildinfo.ReadFile(r.program())
	if err != nil {
		t.Fatal(err)
	}

	want := []string{"std " + info.GoVersion}

	for _, module := range info.Deps {
		want = append(want, module.Path+" "+module.Version)
	}

	got := make([]string, 0, len(bom.Components))
	for _, c := range bom.Components {
		got = append(got, c.Name+" "+c.Version)
	}

	slices.Sort(want)
	slices.Sort(got)

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules of the program (-), and of the SBOM (+):\n%s", diff)
	}
}
