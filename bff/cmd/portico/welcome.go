package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff/internal/auth/devissuer"
	"github.com/portico-gateway/portico/bff/internal/docspage"
)

// welcome is what `portico dev` says once it listens.
type welcome struct {
	server, admin net.Addr
	issuer        *devissuer.DevIssuer
	fleet         *backends.Fleet
	// docs tells that the description is shown at /docs.
	docs bool
}

const welcomeText = `
Portico is ready. Open %[5]s/ in a browser, or go on here.

  REST      %[1]s
  Docs      %[6]s
  Admin     %[2]s  (/readyz /metrics /upstreams /debug/pprof/ /dev/backends)
  Backends  %[3]s

User, orders and profile of alice in one answer:

  curl -s -H 'Authorization: Bearer %[4]s' %[1]s/v1/me/dashboard

The same with the order backend down, and up again:

  curl -s -X POST %[2]s/dev/backends/order/stop
  curl -s -X POST %[2]s/dev/backends/order/start

Another caller's token:  portico token --subject bob
All routes:              portico routes

`

func printWelcome(w io.Writer, in welcome) {
	token, err := in.issuer.Token("alice", nil, defaultTokenLife, time.Now())
	if err != nil {
		token = "(" + err.Error() + ")"
	}

	admin := "off"
	if in.admin != nil {
		admin = "http://" + in.admin.String()
	}

	docs := "off"
	if in.docs {
		docs = urlOf(in.server) + docspage.Path
	}

	instances := in.fleet.Instances()
	lines := make([]string, 0, len(instances))

	for _, instance := range instances {
		lines = append(lines, instance.Name+" "+instance.Address)
	}

	// Standard output is a terminal or a test; there is nobody else to tell.
	_, _ = fmt.Fprintf(w, welcomeText, "http://"+in.server.String(), admin, strings.Join(lines, ", "), token, urlOf(in.server),
		docs)
}
