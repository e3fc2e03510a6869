package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/portico-gateway/portico/bff/internal/needed"
)

// ProxyConfig is how a proxy runs. What is not said is the program's default, or that of Debian.
type ProxyConfig struct {
	// Backend is the address of a gRPC server without TLS.
	Backend string
	// TLS: none if nil.
	TLS *TLS
	// Lines are more settings, of nginx's server or of HAProxy's backend, as they stand in their files.
	Lines []string

	// These are set by this package.
	Address, Dir string
	Root         bool
}

// Proxy is an HTTP/2 proxy. It ends with the test.
type Proxy struct {
	// Address is host:port.
	Address string

	process *process
	quit    syscall.Signal
}

var nginxConfig = template.Must(template.New("").Parse(`
{{if .Root}}user root;{{end}}
daemon off;
worker_processes 1;
pid {{.Dir}}/pid;
error_log stderr;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path {{.Dir}}/body;
	proxy_temp_path {{.Dir}}/proxy;
	fastcgi_temp_path {{.Dir}}/fastcgi;
	uwsgi_temp_path {{.Dir}}/uwsgi;
	scgi_temp_path {{.Dir}}/scgi;
	client_max_body_size 64m;
	upstream backend { server {{.Backend}}; keepalive 8; }
	server {
		listen {{.Address}} http2{{if .TLS}} ssl{{end}};
		{{with .TLS}}
		ssl_certificate {{.Cert}};
		ssl_certificate_key {{.Key}};
		{{if .Mutual}}
		ssl_client_certificate {{.CA}};
		ssl_verify_client on;
		{{end}}
		{{end}}
		location / { grpc_pass grpc://backend; }
		{{range .Lines}}{{.}}
		{{end}}
	}
}
`))

// Nginx starts nginx with grpc_pass.
func Nginx(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()

	// Debian has it where only root's PATH leads.
	program := needed.Program(tb, "install nginx-light", "nginx", "/usr/sbin/nginx")

	return startProxy(tb, config, nginxConfig, syscall.SIGQUIT, program, "-e", "stderr", "-c")
}

var haproxyConfig = template.Must(template.New("").Parse(`
defaults
	mode http
	timeout connect 5s
	timeout client 1m
	timeout server 1m
frontend clients
	bind {{.Address}} {{with .TLS}}ssl crt {{$.Dir}}/server.pem alpn h2{{if .Mutual}} ca-file {{.CA}} verify required{{end}}{{else}}proto h2{{end}}
	default_backend servers
backend servers
	server one {{.Backend}} proto h2
	{{range .Lines}}{{.}}
	{{end}}
`))

// HAProxy starts HAProxy with HTTP/2 on both sides.
func HAProxy(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()

	program := needed.Program(tb, "install haproxy", "haproxy", "/usr/sbin/haproxy")

	return startProxy(tb, config, haproxyConfig, syscall.SIGUSR1, program, "-db", "-f")
}

// startProxy writes the configuration, of which the path is the last argument, and waits until the program listens.
func startProxy(
	tb testing.TB, config ProxyConfig, text *template.Template, quit syscall.Signal, program string, args ...string,
) *Proxy {
	tb.Helper()

	config.Dir, config.Root = tb.TempDir(), os.Geteuid() == 0
	if config.TLS != nil {
		joined := slurp(tb, config.TLS.Cert) + slurp(tb, config.TLS.Key)
		if err := os.WriteFile(filepath.Join(config.Dir, "server.pem"), []byte(joined), 0o600); err != nil {
			tb.Fatal(err)
		}
	}

	const attempts = 5 // Another process may take the port in between.

	var said string

	for range attempts {
		config.Address = freeAddress(tb)

		var file strings.Builder
		if err := text.Execute(&file, config); err != nil {
			tb.Fatal(err)
		}

		path := filepath.Join(config.Dir, "proxy.conf")
		if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
			tb.Fatal(err)
		}

		p := run(tb, exec.Command(program, append(args, path)...), func() {})
		tb.Cleanup(p.stop)

		if listens(tb, p, config.Address) {
			return &Proxy{Address: config.Address, process: p, quit: quit}
		}

		said = p.stderr.String()
	}

	tb.Fatalf("%s does not start: %s", program, said)

	return nil
}

// Quit stops the proxy once the calls are over that are under way.
func (p *Proxy) Quit(tb testing.TB) {
	tb.Helper()
	p.process.signal(tb, p.quit)
}

// listens reports whether the process listens there before it ends.
func listens(tb testing.TB, p *process, address string) bool {
	tb.Helper()

	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()

			return true
		}

		select {
		case <-p.ended:
			return false
		case <-time.After(10 * time.Millisecond): // Nobody tells when it listens.
		}
	}

	tb.Fatalf("nothing listens at %s: %s", address, p.stderr.String())

	return false
}

func freeAddress(tb testing.TB) string {
	tb.Helper()

	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()

	return listener.Addr().String()
}

func slurp(tb testing.TB, path string) string {
	tb.Helper()

	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}

	return string(text)
}
