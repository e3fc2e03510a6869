package config_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// What is written in other programs is not understood, but recognised.
func TestValuesThatAreAlmostRight(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ text, want string }{
		{"log: {level: INFO}", `:1:14: log.level: "INFO" is not one of debug, info, warn, error; did you mean "info"?`},
		{"log: {level: warning}", `did you mean "warn"?`},
		{"log: {level: err}", `did you mean "error"?`},
		{"log: {format: JSON}", `did you mean "json"?`},
		{"docs: {page: false}", `:1:14: docs.page: "false" is not one of public, authenticated, off; did you mean "off"?`},
		{"docs: {page: Off}", `did you mean "off"?`},
		{"docs: {openapi: none}", `did you mean "off"?`},
		{"json: {names: camelCase}", `did you mean "camel"?`},
		{"admin: {address: off}", `:1:18: admin.address: "off" is not host:port, such as 127.0.0.1:8080; write "-" to turn the listener off`},
		{"admin: {address: false}", `write "-" to turn the listener off`},
		{"admin: {address: ''}", `write "-" to turn the listener off`},
		{"admin: {address: 8081}", `"8081" is not host:port, such as 127.0.0.1:8080; write ":8081" for the port on all addresses`},
		{"upstreams: {a: {target: x, balancing: round-robin}}", `did you mean "round_robin"?`},
		{"upstreams: {a: {target: x, balancing: LEAST_REQUEST}}", `did you mean "least_request"?`},
		{"server: {drain_delay: 4}", `:1:23: server.drain_delay: "4" is not a duration, such as 500ms, 4s or 1h30m; write 4s for seconds`},
		{"server: {drain_delay: 0}", `write 0s for seconds`},
		{"server: {max_header_bytes: 1.5}", `:1:28: server.max_header_bytes: "1.5" is not a whole number`},
	} {
		_, err := config.Load(file(t, row.text+"\n"), []string{"PORTICO_AUTH_DISABLED=true"})
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", row.text, err)
		}
	}
}
