// Package release_test makes a release of this tree as docs/deployment.md says, and looks at what is in it and at what it does.
package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

const (
	// root is the folder of the repository.
	root = "../../.."
	// tag is the version of the release.
	tag = "v1.98.7"
	// platform is the one that tests can run. The release workflow builds the others as well.
	platform = "linux_" + runtime.GOARCH
	// committed is the time of its commit.
	committed = "2026-01-02T03:04:05Z"
)

// release is one that was made.
type release struct {
	// source is the repository that it was made in, and revision its commit.
	source, revision string
	// unpacked is the folder of what was in the archive.
	unpacked string
}

func (r release) file(name string) string { return filepath.Join(r.source, "dist", name) }

func (r release) program() string { return filepath.Join(r.unpacked, "portico") }

func TestRelease(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"bash", "git", "make", "jq", "tar", "gzip", "sha256sum"} {
		programs.Program(t, "install "+name, name)
	}

	r := makeRelease(t)

	t.Run("files", r.testFiles)
	t.Run("archive", r.testArchive)
	t.Run("static", r.testStatic)
	t.Run("version", r.testVersion)
	t.Run("sbom", r.testSBOM)
	t.Run("image", r.testImage)
	t.Run("serves", r.testServes)
	t.Run("verified_as_documented", r.testVerified)
	t.Run("untagged_and_changed", r.testUntagged)
}

// makeRelease makes a release of a tagged commit that has the files of this tree.
func makeRelease(t *testing.T) release {
	t.Helper()

	dir := filepath.Join(t.TempDir(), "portico")
	shell(t, root, nil, `mkdir "$1" && git ls-files -z --cached --others --exclude-standard |
		tar --null --files-from=- --ignore-failed-read -c 2>/dev/null | tar -x -C "$1"`, dir)
	shell(t, dir, []string{"GIT_AUTHOR_DATE=" + committed, "GIT_COMMITTER_DATE=" + committed},
		`git init --quiet --initial-branch main && git add --all && git commit --quiet --message release && git tag "$1"`, tag)

	r := release{source: dir, revision: strings.TrimSpace(shell(t, dir, nil, "git rev-parse HEAD")), unpacked: t.TempDir()}
	shell(t, dir, nil, "make release")
	shell(t, dir, nil, `tar -xzf "$1" -C "$2" --strip-components=1`, r.file(name(".tar.gz")), r.unpacked)

	return r
}

// name is the name of a file of the release that is for one platform.
func name(suffix string) string { return "portico_" + tag + "_" + platform + suffix }

// shell runs a script with arguments and returns what it printed. What it builds is for the platform of the tests alone, with the Go
// of the tests, whatever go.mod names.
func shell(t *testing.T, dir string, env []string, script string, args ...string) string {
	t.Helper()

	cmd := exec.CommandContext(t.Context(), "bash", append([]string{"-euo", "pipefail", "-c", script, "bash"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env,
		"GOTOOLCHAIN=local", "PLATFORMS=linux/"+runtime.GOARCH,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@example.com",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@example.com")...)

	var errs strings.Builder

	cmd.Stderr = &errs

	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, &errs)
	}

	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}
