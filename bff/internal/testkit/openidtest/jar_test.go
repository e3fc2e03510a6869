package openidtest_test

import (
	"net/url"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

func TestJar(t *testing.T) {
	t.Parallel()

	const local, remote, remoteTLS = "http://127.0.0.1:8080/", "http://portico.example/", "https://portico.example/"

	for name, row := range map[string]struct {
		from, line, to string
		sent           bool
	}{
		"plain":                      {remote, "a=1", remote, true},
		"path_of_another_page":       {remote, "a=1; Path=/auth", remote, false},
		"expired":                    {remote, "a=1; Max-Age=0", remote, false},
		"secure":                     {remoteTLS, "a=1; Secure", remoteTLS, true},
		"secure_without_tls":         {remote, "a=1; Secure", remoteTLS, false},
		"secure_is_kept_from_http":   {remoteTLS, "a=1; Secure", remote, false},
		"secure_on_loopback":         {local, "a=1; Secure", local, true},
		"secure_on_localhost":        {"http://localhost:80/", "a=1; Secure", "http://localhost:80/", true},
		"any_port":                   {local, "a=1", "http://127.0.0.1:9090/", true},
		"another_host":               {local, "a=1", "http://localhost:8080/", false},
		"host_prefix":                {local, "__Host-a=1; Secure; Path=/", local, true},
		"host_prefix_without_secure": {local, "__Host-a=1; Path=/", local, false},
		"host_prefix_with_a_path":    {local, "__Host-a=1; Secure; Path=/auth", "http://127.0.0.1:8080/auth", false},
		"host_prefix_without_path":   {local, "__Host-a=1; Secure", local, false},
		"host_prefix_with_a_domain":  {remoteTLS, "__Host-a=1; Secure; Path=/; Domain=portico.example", remoteTLS, false},
		"host_prefix_in_small":       {local, "__host-a=1; Path=/", local, false},
		"secure_prefix":              {remoteTLS, "__Secure-a=1; Secure; Domain=portico.example", remoteTLS, true},
		"secure_prefix_without_it":   {remoteTLS, "__Secure-a=1", remoteTLS, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			jar := openidtest.New(t).Jar
			jar.Set(t, row.from, row.line)

			to, err := url.Parse(row.to)
			if err != nil {
				t.Fatal(err)
			}

			if sent := len(jar.Cookies(to)) == 1; sent != row.sent {
				t.Errorf("sent: %t", sent)
			}
		})
	}
}
