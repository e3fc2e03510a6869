package command_test

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
	_ "github.com/portico-gateway/portico/gen/portico/v1" // The options of the blocks.
)

// newcomer reads pages in a copy of the repository and does what they say, block by block:
//
//   - sh: each command has to succeed. `make run` and the like go on in the background, until the next one.
//   - console: each command has to print what the page says (printsAs).
//   - proto: is written to the file that the page names, for the commands after it; without one, it is what a method has in braces.
//   - yaml: is a configuration of the gateway, or of gRPC APIs.
//   - json: is JSON.
//   - mermaid: is a picture, which nothing is done for.
//   - go, ts: compile, together with what their "given" comment declares.
//
// Anything else fails, unless a comment says why it cannot be checked: <!-- unchecked: … -->.
type newcomer struct {
	// shell is new for each page.
	*shell

	dir string
	env []string
	// addresses are those that listeners have, by those that the pages name, which may be taken.
	addresses map[string]string
	// outputs are what the page's commands printed.
	outputs   map[string]string
	unchecked int
}

// A reader follows the pages in a fresh copy of the repository, and every block on them is true. Some may be unchecked, for a reason.
func TestNewcomer(t *testing.T) { //nolint:tparallel // The pages share a checkout.
	t.Parallel()

	const mostUnchecked = 5

	n := openCopy(t)

	t.Run("composites", func(t *testing.T) {
		n.read(t, "docs/composites.md")
		n.inspectComposite(t)
	})

	for _, name := range []string{"embedding", "options", "caching", "clients"} {
		t.Run(name, func(t *testing.T) { n.read(t, "docs/"+name+".md") })
	}

	if n.unchecked > mostUnchecked {
		t.Errorf("%d blocks are not checked; at most %d may be", n.unchecked, mostUnchecked)
	}
}

// Once, the proto of docs/services.md was refused by the very next command.
func TestNewcomerAddsServices(t *testing.T) { //nolint:tparallel // As above.
	t.Parallel()

	n := openCopy(t)
	n.read(t, "README.md")
	n.readNext(t, "docs/services.md", "README.md")
	n.inspectServices(t)

	if n.unchecked > 0 {
		t.Errorf("%d blocks are not checked", n.unchecked)
	}
}

// openCopy copies the repository, with its changes, into a new Git repository for the reader.
func openCopy(t *testing.T) *newcomer {
	t.Helper()

	for _, name := range []string{"bash", "git", "make", "curl", "jq", "npm"} {
		programs.Program(t, "install "+name, name)
	}

	dir := copyRepository(t)
	git(t, dir, "init", "--quiet", "--initial-branch", "main")
	// The others are what commands of the README write. Ignored, they do not make a program one of changed files, to be linked again.
	write(t, filepath.Join(dir, ".git", "info", "exclude"), "node_modules\n/dashboard.json\n/headers.txt\n/portico.yaml\n")
	commit(t, dir)

	n := &newcomer{dir: dir}
	backends, listeners := freePorts(t), freePorts(t)
	server, admin := loopback(listeners), loopback(listeners+1)
	n.env = []string{
		// As in the Makefile, so that compiled packages are shared.
		"GOFLAGS=-trimpath",
		"PORTICO_SERVER_ADDRESS=" + server, "PORTICO_ADMIN_ADDRESS=" + admin, "PORTICO_HEALTH_ADDRESS=-",
		"PORTICO_DEV_BACKEND_PORT=" + strconv.Itoa(backends), "PORTICO_DEV_OPENID_ADDRESS=" + loopback(listeners+2),
		"PORTICO_SERVER_DRAIN_DELAY=1ms",
	}
	n.addresses = map[string]string{loopback(8080): server, loopback(8081): admin, loopback(9000): startReviews(t)}

	return n
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func writeAll(t *testing.T, path, text string) {
	t.Helper()

	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}

	write(t, path, text)
}

// read does what a page says, from its beginning in a checkout without anything that was built or changed.
func (n *newcomer) read(t *testing.T, page string) {
	t.Helper()

	blocks := readBlocks(t, page)
	leave := []string{"-e", "node_modules"}

	if buildsFirst(blocks) {
		// The build is the same with these, without linking them again.
		leave = append(leave, "-e", "bin")
	}

	git(t, n.dir, "reset", "--quiet", "--hard")
	git(t, n.dir, append([]string{"clean", "-fdxq"}, leave...)...)

	n.outputs = make(map[string]string)
	n.doAll(t, blocks)
}

// buildsFirst reports whether the commands of a page build bin/portico before they use it.
func buildsFirst(blocks []block) bool {
	for _, b := range blocks {
		for _, command := range slices.Concat(commands(b.given), commands(b.text)) {
			if strings.Contains(command, "bin/portico") || strings.Contains(command, "make ") {
				return strings.HasPrefix(command, "make run") || strings.HasPrefix(command, "make bin/portico")
			}
		}
	}

	return false
}

// readNext does what a page says in the checkout that the page before has left. What both pages say is not done again.
func (n *newcomer) readNext(t *testing.T, page, before string) {
	t.Helper()

	done := make(map[string]bool)
	for _, b := range readBlocks(t, before) {
		done[b.text] = true
	}

	n.stop(t)
	n.doAll(t, slices.DeleteFunc(readBlocks(t, page), func(b block) bool { return done[b.text] }))
}

// doAll does what the blocks of a page say, in a new shell.
func (n *newcomer) doAll(t *testing.T, blocks []block) {
	t.Helper()

	n.shell = openShell(t, n.dir, n.env, n.addresses)
	languages := make(map[string][]block)

	for _, b := range blocks {
		if b.unchecked != "" {
			n.unchecked++

			t.Logf("%v is not checked: %s", b, b.unchecked)

			continue
		}

		if b.lang == "go" || b.lang == "ts" {
			languages[b.lang] = append(languages[b.lang], b)
		} else {
			n.do(t, b)
		}
	}

	for _, lang := range slices.Sorted(maps.Keys(languages)) {
		if lang == "go" {
			n.checkGo(t, languages[lang])
		} else {
			n.checkTypeScript(t, languages[lang])
		}
	}
}

// do does what one block says. What commands do not do keeps the page from going on.
func (n *newcomer) do(t *testing.T, b block) {
	t.Helper()

	switch b.lang {
	case "sh":
		for _, command := range slices.Concat(commands(b.given), commands(b.text)) {
			n.succeed(t, b, command)
		}
	case "console":
		for _, command := range commands(b.given) {
			n.succeed(t, b, command)
		}

		for _, e := range consoleCommands(b.text) {
			if printed, _ := n.run(t, e.command); !printsAs(e.printed, printed) {
				t.Errorf("%v: $ %s\nprinted\n%s\nnot\n%s\nThe gateway:\n%s", b, e.command, printed, e.printed, n.log())
			}
		}
	case "proto":
		if b.file == "" {
			checkMethodOptions(t, b)
		} else {
			writeAll(t, filepath.Join(n.dir, b.file), b.text)
		}
	case "yaml":
		checkYAML(t, b)
	case "mermaid": // A picture; docs/ checks those of all pages.
	case "json":
		if !json.Valid([]byte(b.text)) {
			t.Errorf("%v: not JSON", b)
		}
	default:
		t.Errorf("%v: there is no check for a block of %q; name a language at a fence, or say why not: <!-- unchecked: … -->",
			b, b.lang)
	}
}

func (n *newcomer) succeed(t *testing.T, b block, command string) {
	t.Helper()

	printed, code := n.run(t, command)
	if code != 0 {
		t.Fatalf("%v: %s: exit code %d\n%s\nThe gateway:\n%s", b, command, code, printed, n.log())
	}

	n.outputs[command] = printed
}

// log is the end of what the server printed.
func (n *newcomer) log() string {
	if n.server == nil {
		return "(none)"
	}

	const most = 4 << 10

	text := n.server.out.String()

	return text[max(0, len(text)-most):]
}

// checkYAML reads a configuration of the gateway, or one of gRPC APIs, whose type says so.
func checkYAML(t *testing.T, b block) {
	t.Helper()

	if strings.Contains(b.text, "type: google.api.Service") {
		if _, err := schema.ParseRules("api.yaml", []byte(b.text)); err != nil {
			t.Errorf("%v: %v", b, err)
		}

		return
	}

	// A page shows a part of a configuration, which must say who is let in.
	var environ []string
	if !strings.Contains(b.text, "auth:") {
		environ = append(environ, "PORTICO_AUTH_DISABLED=true")
	}

	if _, err := config.Load(writeFile(t, "portico.yaml", b.text), environ); err != nil {
		t.Errorf("%v: %v", b, err)
	}
}

// checkMethodOptions compiles options of a method.
func checkMethodOptions(t *testing.T, b block) {
	t.Helper()

	source := `syntax = "proto3"; import "portico/v1/policy.proto";
		service Block { rpc Method(Message) returns (Message) {` + b.text + `} } message Message {}`
	linked := protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)

		return protocompile.SearchResult{Desc: file}, err
	})
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{
		&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"block.proto": source})}, linked,
	}}

	if _, err := compiler.Compile(t.Context(), "block.proto"); err != nil {
		t.Errorf("%v: %v", b, err)
	}
}

// inspectServices looks at the two services that docs/services.md makes, more closely than the page does.
func (n *newcomer) inspectServices(t *testing.T) {
	t.Helper()

	if t.Failed() || n.server == nil {
		t.Fatal("the services do not run")
	}

	for _, command := range []string{
		"go vet ./backends/...", "go test ./backends/cmd/backends/ ./gen/...",
		"go tool -modfile=tools.mod golangci-lint run --allow-parallel-runners ./backends/internal/catalog/... ./gen/...",
	} {
		if printed, code := n.run(t, command); code != 0 {
			t.Errorf("%s: exit code %d\n%s", command, code, printed)
		}
	}

	address := func(printed string) string { return "http://" + n.ports.Replace(printed) }
	p := &process{url: address(loopback(8080)), admin: address(loopback(8081)), dataDir: filepath.Join(n.dir, ".portico")}

	t.Run("command", func(t *testing.T) { testItems(t, p) })
	t.Run("printed", func(t *testing.T) { n.testPrinted(t) })
	t.Run("by_hand", func(t *testing.T) { testReviews(t, p) })
}

// inspectComposite looks at the composite that docs/composites.md makes, more closely than the page does.
func (n *newcomer) inspectComposite(t *testing.T) {
	t.Helper()

	for _, command := range []string{
		"go test ./bff/composite/inbox", "bin/portico lint",
		// Its test notices what backends get.
		"(cd bff/composite/inbox && sed -i.bak 's/req.GetUserId()/\"another\"/' inbox.go && " +
			"go test . | grep '/GetUser got' && mv inbox.go.bak inbox.go)",
		"go tool -modfile=tools.mod golangci-lint run --allow-parallel-runners ./bff/composite/inbox",
		// No Go file of the gateway is changed by hand.
		"test -z \"$(git status --porcelain -- bff ':!bff/composite/inbox' ':!bff/composite/all')\"",
	} {
		if printed, code := n.run(t, command); code != 0 {
			t.Errorf("%s: exit code %d\n%s", command, code, printed)
		}
	}

	if n.server == nil || strings.Contains(n.server.out.String(), "a composite calls what") {
		t.Errorf("who may call the route may not make its calls, or it does not run:\n%s", n.log())
	}
}

// testPrinted runs the commands that `portico new service` prints for another terminal. Once, the POST was answered with 415.
func (n *newcomer) testPrinted(t *testing.T) {
	t.Helper()

	_, script, _ := strings.Cut(n.outputs["bin/portico new service catalog --resource Item"], "in another terminal:\n")

	var printed strings.Builder

	for _, command := range commands(script) {
		text, code := n.run(t, command)
		if code != 0 {
			t.Errorf("%s: exit code %d\n%s", command, code, text)
		}

		printed.WriteString(text)
	}

	for _, want := range []string{`"items":[`, `"title":"Mine",`} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("no %s in %q of %q", want, &printed, script)
		}
	}
}
