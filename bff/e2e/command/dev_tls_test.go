package command_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// Once, it printed http:// URLs and a curl that failed.
func TestDevPrintsACurlThatWorksOverTLS(t *testing.T) {
	t.Parallel()

	curl := programs.Program(t, "install curl", "curl")

	for name, row := range map[string]struct {
		issue func(tb testing.TB, cert, key string)
		host  string
	}{
		"signed_by_an_authority": {func(tb testing.TB, cert, key string) {
			tb.Helper()
			tlstest.NewCA(tb).Issue(tb, cert, key, "portico", "")
		}, "127.0.0.1"},
		"self_signed_for_localhost": {func(tb testing.TB, cert, key string) {
			tb.Helper()
			selfSign(tb, cert, key, "localhost")
		}, "localhost"},
		"self_signed_for_another_name": {func(tb testing.TB, cert, key string) {
			tb.Helper()
			selfSign(tb, cert, key, "*.example.com")
		}, "portico.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := filepath.Join(t.TempDir(), "it's a folder")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}

			cert, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
			row.issue(t, cert, key)

			p := startDevPrepared(t, raced, t.TempDir(), func(cmd *exec.Cmd) {
				cmd.Env = append(cmd.Env, "PORTICO_SERVER_TLS_CERT_FILE="+cert, "PORTICO_SERVER_TLS_KEY_FILE="+key)
			})
			if !strings.HasPrefix(p.url, "https://"+row.host+":") || !strings.Contains(p.stdout.String(), "Open https://"+row.host) {
				t.Fatalf("printed %s", p.stdout)
			}

			printed := welcome.FindStringSubmatch(p.stdout.String())[3]

			cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(printed, "curl -s", curl+" -sS", 1))

			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), `"user":`) {
				t.Errorf("%s\n%v: %s", printed, err, out)
			}
		})
	}
}

// selfSign writes a certificate that is signed with its own key.
func selfSign(tb testing.TB, certFile, keyFile, host string) {
	tb.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host},
	}

	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}

	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}

	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: certificate}, keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}
