package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/bff/internal/needed"
)

// A new service comes into being in a copy of the repository, in both ways that docs/services.md describes: with the command, and
// by hand, from the proto on that page, in front of a backend that knows nothing of this repository. Only make, its tests and the
// built gateway have a say from then on.
func TestNewServicesAreServed(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds everything anew")
	}

	dir := copyRepository(t)

	out, errs, code := portico(t, "new", "service", "tryout", "--resource", "TryoutItem", "--dir", dir)
	if code != 0 || !strings.Contains(out, "wrote proto/tryout/v1/tryout.proto\n") || !strings.Contains(out, "make quick") {
		t.Fatalf("exit %d, printed %q and %q", code, out, errs)
	}

	writeDocumentedProto(t, dir)
	testMistakes(t, dir)

	in(t, dir, "make", "quick")

	built := filepath.Join(dir, "bin/portico")
	lintNew(t, dir, built)

	config := filepath.Join(t.TempDir(), "portico.yaml")
	line := fmt.Sprintf("upstreams:\n  review: {addresses: [%q]}\n", startReviews(t))

	if err := os.WriteFile(config, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}

	data := t.TempDir()
	p := start(t, built, "dev", "--data-dir", data, "--backend-port", strconv.Itoa(freePorts(t)), "--config", config)
	p.dataDir = data

	eventually(t, "the welcome", func() bool { return welcome.MatchString(p.stdout.String()) })

	found := welcome.FindStringSubmatch(p.stdout.String())
	p.url, p.admin = found[1], found[2]

	t.Run("command", func(t *testing.T) { testItems(t, p) })
	t.Run("printed", func(t *testing.T) { testPrinted(t, p, out) })
	t.Run("by_hand", func(t *testing.T) { testReviews(t, p) })
}

// lintNew does what `make lint` does with the protos, the Go code and the description of new services. Once, it refused the proto
// of docs/services.md.
func lintNew(t *testing.T, dir, built string) {
	t.Helper()

	in(t, dir, "go", "tool", "-modfile=tools.mod", "buf", "lint")
	in(t, dir, "go", "tool", "-modfile=tools.mod", "buf", "format", "--diff", "--exit-code", "proto")
	in(t, dir, built, "lint", "proto")
	in(t, dir, "go", "tool", "-modfile=tools.mod", "golangci-lint", "run", "--allow-parallel-runners",
		"./backends", "./backends/internal/tryout/...")
	in(t, dir, "npm", "--prefix", "web", "run", "--silent", "lint:openapi")
}

// testPrinted runs the commands that are printed for another terminal. Once, the POST was answered with 415.
func testPrinted(t *testing.T, p *process, printed string) {
	t.Helper()

	curl := needed.Program(t, "install curl", "curl")
	_, script, _ := strings.Cut(printed, "in another terminal:\n")
	script = strings.ReplaceAll(script, "http://127.0.0.1:8080", p.url)

	cmd := exec.CommandContext(t.Context(), "sh", "-e")
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(os.Environ(), "PORTICO_DEV_DATA_DIR="+p.dataDir, "PATH="+filepath.Dir(curl)+":"+os.Getenv("PATH"))

	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"tryoutItems":[`) || !strings.Contains(string(out), `"title":"Mine",`) ||
		strings.Contains(string(out), "application/problem") {
		t.Errorf("%v: %s of %s", err, out, script)
	}
}

// testMistakes has `make generate` refuse protos, with one line and that of make. What all of these lines are is tested in protocheck.
func testMistakes(t *testing.T, dir string) {
	t.Helper()

	file := filepath.Join(dir, "proto/review/v1/review.proto")

	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	for _, m := range []struct{ old, changed, want string }{
		{"gen/review/v1;", "gen/rating/v1;", `GO_PACKAGE_INVALID: go_package is "github.com/portico-gateway/portico/gen/rating/v1", but must be `},
		{`get: "/v1/reviews/{review_id}"`, `get: "/v1/reviews/{id}"`, "ROUTE_INVALID: GET /v1/reviews/{id}: path variable id: "},
	} {
		write(t, file, strings.Replace(string(right), m.old, m.changed, 1))

		cmd := exec.CommandContext(t.Context(), "make", "generate")
		cmd.Dir = dir
		// As from a shell: under another make, it says more.
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=")
		})

		out, err := cmd.CombinedOutput()
		want := `^proto/review/v1/review\.proto:\d+:\d+: ` + regexp.QuoteMeta(m.want) + ".*\nmake: \\*\\*\\* .*\n$"

		if err == nil || !regexp.MustCompile(want).Match(out) {
			t.Errorf("got %v:\n%s\nwant %s", err, out, want)
		}
	}

	write(t, file, string(right))
}

// testItems goes through the standard methods.
func testItems(t *testing.T, p *process) {
	t.Helper()

	items := p.url + "/v1/tryoutItems"
	alice, editor := p.token(t, "alice"), p.token(t, "editor", "tryout:write")

	want(t, "no token", call(t, http.MethodPost, items, "", `{"title": "Tea"}`), http.StatusUnauthorized)
	want(t, "no scope", call(t, http.MethodPost, items, alice, `{"title": "Tea"}`), http.StatusForbidden)
	want(t, "against the rules", call(t, http.MethodPost, items, editor, `{"title": ""}`), http.StatusBadRequest)
	want(t, "unknown field", call(t, http.MethodPost, items, editor, `{"name": "Tea"}`), http.StatusBadRequest)
	want(t, "wrong method", call(t, http.MethodPut, items, editor, `{}`), http.StatusMethodNotAllowed)

	made := want(t, "create", call(t, http.MethodPost, items, editor, `{"title": "Tea", "labels": {"a": "b"}}`), http.StatusCreated)
	item := p.url + made.header.Get("Location")

	if id, _ := made.json(t)["tryoutItemId"].(string); item != items+"/"+id {
		t.Errorf("Location %q of %s", made.header.Get("Location"), made.body)
	}

	read := want(t, "get", call(t, http.MethodGet, item, alice, ""), http.StatusOK)
	if read.json(t)["title"] != "Tea" {
		t.Errorf("read %s", read.body)
	}

	// Two examples come before it.
	first := want(t, "list", call(t, http.MethodGet, items+"?page_size=2", alice, ""), http.StatusOK).json(t)
	next, _ := first["nextPageToken"].(string)

	rest := want(t, "next page", call(t, http.MethodGet, items+"?page_size=2&page_token="+next, alice, ""), http.StatusOK)
	if first["totalSize"] != "3" || next == "" || !strings.Contains(rest.body, `"Tea"`) {
		t.Errorf("listed %v, then %s", first, rest.body)
	}

	want(t, "too large a page", call(t, http.MethodGet, items+"?page_size=101", alice, ""), http.StatusBadRequest)
	want(t, "update without the scope", call(t, http.MethodPatch, item, alice, `{"title": "Mine"}`), http.StatusForbidden)
	want(t, "update", call(t, http.MethodPatch, item, editor, `{"title": "Green tea"}`), http.StatusOK)

	// What was kept of the answer before is forgotten.
	read = want(t, "get again", call(t, http.MethodGet, item, alice, ""), http.StatusOK)
	if doc := read.json(t); doc["title"] != "Green tea" || fmt.Sprint(doc["labels"]) != "map[a:b]" {
		t.Errorf("read %s", read.body)
	}

	want(t, "delete without the scope", call(t, http.MethodDelete, item, alice, ""), http.StatusForbidden)
	want(t, "delete", call(t, http.MethodDelete, item, editor, ""), http.StatusNoContent)
	want(t, "get what is gone", call(t, http.MethodGet, item, alice, ""), http.StatusNotFound)
	want(t, "get nonsense", call(t, http.MethodGet, items+"/a%20b", alice, ""), http.StatusBadRequest)
}

// testReviews is about what the gateway gives to a service that only has a proto and an upstream.
func testReviews(t *testing.T, p *process) {
	t.Helper()

	reviews, alice := p.url+"/v1/reviews", p.token(t, "alice")

	want(t, "no token", call(t, http.MethodGet, reviews+"/r1", "", ""), http.StatusUnauthorized)

	bad := want(t, "against the rules", call(t, http.MethodPost, reviews, alice, `{"title": ""}`), http.StatusBadRequest)
	if !strings.Contains(bad.body, "title") {
		t.Errorf("no word of the field in %s", bad.body)
	}

	made := want(t, "create", call(t, http.MethodPost, reviews, alice, `{"title": "Good"}`), http.StatusCreated)
	if made.body != `{"reviewId":"r1","title":"Good"}` || made.header.Get("Location") != "/v1/reviews/r1" {
		t.Errorf("created %s at %q", made.body, made.header.Get("Location"))
	}

	read := want(t, "get", call(t, http.MethodGet, reviews+"/r2", alice, ""), http.StatusOK)
	if read.json(t)["reviewId"] != "r2" {
		t.Errorf("read %s", read.body)
	}

	// The burst is 100, and 50 more come back every second.
	limited := read
	for range 5000 {
		if limited = call(t, http.MethodGet, reviews+"/r2", alice, ""); limited.status != http.StatusOK {
			break
		}
	}

	want(t, "too often", limited, http.StatusTooManyRequests)

	if h := limited.header; h.Get("Retry-After") == "" || h.Get("RateLimit") == "" || h.Get("RateLimit-Policy") == "" {
		t.Errorf("429 without telling how long: %v", h)
	}

	metrics := call(t, http.MethodGet, p.admin+"/metrics", "", "")
	for _, rpc := range []string{"review.v1.ReviewService/GetReview", "review.v1.ReviewService/CreateReview"} {
		if !strings.Contains(metrics.body, rpc) {
			t.Errorf("no metrics of %s", rpc)
		}
	}
}

// startReviews is a backend without generated code: it answers a title with a review of it, and an id with an empty review.
func startReviews(t *testing.T) (address string) {
	t.Helper()

	answer := func(_ any, stream grpc.ServerStream) error {
		// Its fields are all unknown, and so travel as they are.
		var req, resp emptypb.Empty
		if err := stream.RecvMsg(&req); err != nil {
			return err
		}

		_, _, n := protowire.ConsumeTag(req.ProtoReflect().GetUnknown())
		text, _ := protowire.ConsumeString(req.ProtoReflect().GetUnknown()[n:])

		fields := protowire.AppendTag(nil, 1, protowire.BytesType)
		if method, _ := grpc.MethodFromServerStream(stream); strings.HasSuffix(method, "/GetReview") {
			fields = protowire.AppendString(fields, text)
		} else {
			fields = protowire.AppendString(fields, "r1")
			fields = protowire.AppendString(protowire.AppendTag(fields, 2, protowire.BytesType), text)
		}

		resp.ProtoReflect().SetUnknown(fields)

		return stream.SendMsg(&resp)
	}

	listener := listen(t, net.JoinHostPort("127.0.0.1", "0"))
	server := grpc.NewServer(grpc.UnknownServiceHandler(answer))
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

var documented = regexp.MustCompile("(?s)`(proto/review/v1/review.proto)`:\n\n```proto\n(.*?)```\n")

// writeDocumentedProto takes the proto that is shown in docs/services.md, as it stands there.
func writeDocumentedProto(t *testing.T, dir string) {
	t.Helper()

	page, err := os.ReadFile("../../../docs/services.md")
	if err != nil {
		t.Fatal(err)
	}

	found := documented.FindSubmatch(page)
	if found == nil {
		t.Fatal("docs/services.md does not show the proto any more")
	}

	path := filepath.Join(dir, string(found[1]))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(path, found[2], 0o600); err != nil {
		t.Fatal(err)
	}
}

// in runs a command in a folder to its end.
func in(t *testing.T, dir, name string, args ...string) {
	t.Helper()

	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	// What guides the optimisation of releases would cost minutes.
	cmd.Env = append(os.Environ(), "GOFLAGS=-pgo=off")

	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// copyRepository copies what git knows or would add: the sources, and nothing that was built.
func copyRepository(t *testing.T) string {
	t.Helper()

	const root = "../../.."

	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root

	files, err := list.Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}

	dir := t.TempDir()

	for path := range bytes.SplitSeq(bytes.TrimRight(files, "\x00"), []byte{0}) {
		copyFile(t, filepath.Join(root, string(path)), filepath.Join(dir, string(path)))
	}

	// What generates TypeScript is downloaded where it is not there.
	packages, err := filepath.Abs(filepath.Join(root, "web/node_modules"))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(packages); err == nil {
		if err := os.Symlink(packages, filepath.Join(dir, "web/node_modules")); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()

	source, err := os.Open(from)
	if os.IsNotExist(err) {
		return // Deleted, and not committed yet.
	}

	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()

	info, err := source.Stat()
	if err != nil {
		t.Fatal(err)
	}

	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}

	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		t.Fatal(err)
	}

	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}

	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}
