package command_test

import (
	"fmt"
	"net/http"
	"os"

	"github.com/portico-gateway/portico/bff/e2e/conformance"
	// So that requests in another spelling than the document's can be understood.
	_ "github.com/portico-gateway/portico/gen"
)

// exchanges counts what gateways answer to the tests, and what is not as the documents say that they serve.
var exchanges conformance.Tally

// checked is a transport that compares all exchanges with the document of the gateway, as far as it is one.
func checked(next http.RoundTripper) http.RoundTripper {
	return &conformance.Transport{
		Next: next, Tally: &exchanges,
		Pages: []string{"/", "/auth/", "/openapi.json", "/openapi.yaml", "/docs", "/docs/", "/dev/", "/demo/", "/favicon.ico"},
	}
}

// conforming runs the tests, which fail if an exchange was not as described.
func conforming(tests func() int) int {
	http.DefaultClient.Transport = checked(http.DefaultTransport)

	code := tests()

	summary, differences := exchanges.Summary()
	fmt.Fprint(os.Stderr, summary)

	if differences > 0 && code == 0 {
		code = 1
	}

	return code
}
