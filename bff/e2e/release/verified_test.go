package release_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commandBlock matches commands of a page, after the comment that they cannot be checked, if there is one.
var commandBlock = regexp.MustCompile("(?ms)^(<!-- unchecked: [^\n]*\n)?```sh\n(.*?)^```$")

// testVerified does what the page tells those to do who have downloaded a release: the commands are those of the page, but for the
// version, the platform, and where the repository is.
func (r release) testVerified(t *testing.T) {
	t.Parallel()

	_, section, found := strings.Cut(read(t, filepath.Join(root, "docs/deployment.md")), "\n## Verify a release\n")
	section, _, _ = strings.Cut(section, "\n## ")

	var script strings.Builder

	for _, block := range commandBlock.FindAllStringSubmatch(section, -1) {
		if block[1] == "" {
			script.WriteString(block[2])
		}
	}

	if !found || script.Len() == 0 {
		t.Fatal("the page has no commands")
	}

	dir := t.TempDir()
	shell(t, r.source, nil, `cp dist/* "$1"`, dir)

	text := strings.NewReplacer("VERSION=v1.2.3", "VERSION="+tag, "linux_amd64", platform,
		"https://github.com/portico-gateway/portico", r.source).Replace(script.String())

	out := shell(t, dir, nil, text)
	for _, want := range []string{name(".tar.gz") + ": OK", tag, "google.golang.org/grpc v", "not a dynamic executable"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in what the commands printed:\n%s", want, out)
		}
	}
}
