package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/docspage"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// welcome is what `portico dev` prints when it listens.
type welcome struct {
	server endpoint
	// admin is nil if that listener is off.
	admin  net.Addr
	issuer *devissuer.DevIssuer
	fleet  *backends.Fleet
	// openID is the issuer of the OpenID provider. Empty: it is off.
	openID string
	// token is the command that prints tokens, without a subject.
	token string
	// docs reports that the description is shown at /docs.
	docs bool
	// credential is that of operators. Empty: it is in a file.
	credential string
}

const welcomeText = `
Portico is ready. Open %[1]s/ in a browser, or continue here.

  REST      %[1]s
  Docs      %[5]s
  Console   %[11]s
  Admin     %[2]s  (/console/ /readyz /metrics /upstreams /debug/pprof/ /dev/backends)
  OpenID    %[12]s
  Backends  %[3]s

User, orders and profile of alice in one response:

  curl -s%[6]s -H 'Authorization: Bearer %[4]s' %[1]s/v1/me/dashboard

The same with the order backend down, and up again:

  curl -s%[10]s -X POST %[9]s/dev/backends/order/stop
  curl -s%[10]s -X POST %[9]s/dev/backends/order/start

Another caller's token:  %[7]s --subject bob
All routes:              %[8]s routes

`

// consolePath is where the console is on the admin listener.
const consolePath = "/console/"

func printWelcome(w io.Writer, in welcome) {
	token, err := in.issuer.Token("alice", nil, defaultTokenLife, time.Now())
	if err != nil {
		token = "(" + err.Error() + ")"
	}

	const off = "off"

	admin, console, docs := off, off, off
	// The page has the switch of the backends as well.
	control := in.server

	if in.admin != nil {
		control = endpointOf(in.admin, config.ServerTLS{})
		admin = control.url
		console = admin + consolePath

		// Browsers do not send what is behind the #.
		if in.credential != "" {
			console += "#credential=" + url.PathEscape(in.credential)
		}
	}

	if in.docs {
		docs = in.server.url + docspage.Path
	}

	openID := off
	if in.openID != "" {
		openID = in.openID + "  (users alice, bob and admin)"
	}

	instances := in.fleet.Instances()
	lines := make([]string, 0, len(instances))

	for _, instance := range instances {
		lines = append(lines, instance.Name+" "+instance.Address)
	}

	// An error has nowhere to go.
	_, _ = fmt.Fprintf(w, welcomeText, in.server.url, admin, strings.Join(lines, ", "), token, docs, in.server.curl, in.token,
		program(), control.url, control.curl, console, openID)
}
