package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/template"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// ProxyConfig is how a proxy runs. Everything else has the default of the program or of its Debian package, but for the timeouts: no
// test may depend on how busy the machine is.
type ProxyConfig struct {
	// Backend is the address of a gRPC server without TLS.
	Backend string
	// TLS is off if nil.
	TLS *TLS
	// Lines are more directives, for nginx's server block or HAProxy's backend section.
	Lines []string
}

// Proxy is an HTTP/2 proxy. It ends with the test.
type Proxy struct {
	// Address is host:port.
	Address string

	process *process
	quit    syscall.Signal
}

// Nginx starts nginx with grpc_pass.
func Nginx(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()

	return nginx(tb).startOnFreePort(tb, config)
}

// HAProxy starts HAProxy with HTTP/2 on both sides.
func HAProxy(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()

	return haproxy(tb).startOnFreePort(tb, config)
}

// HAProxyConnections starts HAProxy as a balancer of connections, whatever is in them. Lines are options of its server, such as
// "send-proxy".
func HAProxyConnections(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()

	const text = `
defaults
	mode tcp
	timeout connect 1m
	timeout client 15m
	timeout server 15m
frontend ready
	mode http
	bind unix@{{.Dir}}/ready
	http-request return status 204
frontend clients
	bind {{.Address}}
	default_backend servers
backend servers
	server one {{.Backend}}{{range .Lines}} {{.}}{{end}}
`
	program := haproxy(tb)
	program.config = text

	return program.startOnFreePort(tb, config)
}

// Quit stops the proxy gracefully: the calls that are in progress may finish. It does not wait.
func (p *Proxy) Quit(tb testing.TB) {
	tb.Helper()
	p.process.signal(tb, p.quit)
}

// AwaitEnd waits until the proxy has stopped.
func (p *Proxy) AwaitEnd(tb testing.TB) {
	tb.Helper()
	p.process.awaitEnd(tb)
}

// proxyProgram is a kind of proxy.
type proxyProgram struct {
	path string
	// args come before the path of the configuration file.
	args []string
	// config is a text/template over proxyData.
	config string
	// quit stops it gracefully.
	quit syscall.Signal
}

// proxyData is what configuration files are made from. The proxy answers HTTP/1.1 requests on the Unix socket Dir/ready with 204.
type proxyData struct {
	ProxyConfig

	Address, Dir string
	Root         bool
}

func nginx(tb testing.TB) proxyProgram {
	tb.Helper()

	const config = `
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
	client_header_timeout 15m;
	client_body_timeout 15m;
	send_timeout 15m;
	keepalive_timeout 15m;
	grpc_connect_timeout 1m;
	grpc_read_timeout 15m;
	grpc_send_timeout 15m;
	upstream backend { server {{.Backend}}; keepalive 8; }
	server {
		listen unix:{{.Dir}}/ready;
		return 204;
	}
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
`
	// Debian installs it in a directory that only root's PATH has.
	path := programs.Program(tb, "install nginx-light", "nginx", "/usr/sbin/nginx")

	return proxyProgram{path: path, args: []string{"-e", "stderr", "-c"}, config: config, quit: syscall.SIGQUIT}
}

func haproxy(tb testing.TB) proxyProgram {
	tb.Helper()

	const config = `
defaults
	mode http
	timeout connect 1m
	timeout client 15m
	timeout server 15m
frontend ready
	bind unix@{{.Dir}}/ready
	http-request return status 204
frontend clients
	bind {{.Address}} {{with .TLS}}ssl crt {{$.Dir}}/server.pem alpn h2{{if .Mutual}} ca-file {{.CA}} verify required{{end}}{{else}}proto h2{{end}}
	default_backend servers
backend servers
	server one {{.Backend}} proto h2
	{{range .Lines}}{{.}}
	{{end}}
`
	path := programs.Program(tb, "install haproxy", "haproxy", "/usr/sbin/haproxy")

	return proxyProgram{path: path, args: []string{"-db", "-f"}, config: config, quit: syscall.SIGUSR1}
}

func (p proxyProgram) startOnFreePort(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()

	const attempts = 5 // Another process may take the port before the proxy does.
	for range attempts {
		if proxy := p.start(tb, config, freeAddress(tb)); proxy != nil {
			return proxy
		}
	}

	tb.Fatalf("%s: %d ports that were free were taken before it could listen", p.path, attempts)

	return nil
}

// start returns when the proxy serves requests. It returns nil if the address is in use.
func (p proxyProgram) start(tb testing.TB, config ProxyConfig, address string) *Proxy {
	tb.Helper()

	data := proxyData{ProxyConfig: config, Address: address, Dir: tb.TempDir(), Root: os.Geteuid() == 0}
	if config.TLS != nil {
		writeFile(tb, filepath.Join(data.Dir, "server.pem"), readFile(tb, config.TLS.Cert)+readFile(tb, config.TLS.Key))
	}

	var text strings.Builder
	if err := template.Must(template.New("").Parse(p.config)).Execute(&text, data); err != nil {
		tb.Fatal(err)
	}

	file := filepath.Join(data.Dir, "proxy.conf")
	writeFile(tb, file, text.String())

	process := run(tb, exec.Command(p.path, append(slices.Clip(p.args), file)...), func() {})
	tb.Cleanup(process.stop)

	if process.awaitReady(tb, filepath.Join(data.Dir, "ready")) {
		return &Proxy{Address: address, process: process, quit: p.quit}
	}

	if said := process.stderr.String(); !strings.Contains(said, "Address already in use") {
		tb.Fatalf("%s does not start: %s", p.path, said)
	}

	return nil
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

func readFile(tb testing.TB, path string) string {
	tb.Helper()

	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}

	return string(text)
}

func writeFile(tb testing.TB, path, text string) {
	tb.Helper()

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}
