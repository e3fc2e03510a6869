package release_test

import (
	"context"
	"encoding/pem"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// users is a backend.
type users struct {
	userv1.UnimplementedUserServiceServer
}

func (users) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId(), DisplayName: "Ada"}, nil
}

func startUsers(t *testing.T) string {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	userv1.RegisterUserServiceServer(server, users{})

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

// The image serves as it is run: what it runs by default, as its user, with its environment and no other, where nothing can be written.
// The keys of the issuer come over TLS, from an authority that the operator has mounted.
func (r release) testServes(t *testing.T) {
	t.Parallel()

	i := r.openImage(t)
	dir, backend := i.unpack(t), startUsers(t)
	signer := authtest.NewSigner(t, "ES256", authtest.KeyID)
	issuer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(authtest.KeySet(t, signer))
	}))
	t.Cleanup(issuer.Close)

	mounted := filepath.Join(dir, "etc/portico")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}

	config := "server: {address: '127.0.0.1:0', drain_delay: 1ms}\nadmin: {address: '-'}\nhealth: {address: '-'}\n" +
		"auth:\n  issuers:\n    - {issuer: '" + authtest.Issuer + "', audiences: [" + authtest.Audience + "], jwks_url: '" + issuer.URL + "'}\n" +
		"upstreams:\n"
	for _, upstream := range []string{"user", "order", "profile", "payment", "notification"} {
		config += "  " + upstream + ": {addresses: ['" + backend + "']}\n"
	}

	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw})
	for name, text := range map[string]string{"ca.pem": string(authority), "portico.yaml": config} {
		if err := os.WriteFile(filepath.Join(mounted, name), []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}

	before := tree(t, dir)
	setModes(t, folders(before), 0o555)

	g := i.start(t, dir)
	status, body := get(t, g.url+"/v1/users/ada", signer.Token(t, nil, authtest.GoodClaims()))

	if status != http.StatusOK || !strings.Contains(body, `"displayName":"Ada"`) {
		t.Errorf("%d %s\n%s", status, body, g.log())
	}

	g.stop(t)

	if after := tree(t, dir); len(after) != len(before) {
		t.Errorf("it wrote files: %q, before %q", after, before)
	}
}

// get sends a request with a token.
func get(t *testing.T, url, token string) (status int, body string) {
	t.Helper()

	client := &http.Client{Timeout: time.Minute}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer "+token)

	response, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	return response.StatusCode, string(readAll(t, response.Body))
}

// tree has the paths below a folder, with it.
func tree(t *testing.T, dir string) []string {
	t.Helper()

	var all []string

	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return all
}

func folders(paths []string) []string {
	var all []string

	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			all = append(all, path)
		}
	}

	return all
}
