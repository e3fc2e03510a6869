package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// errRefused sets the exit code of an explanation.
var errRefused = errors.New("the request would be refused")

// explained is the request to explain.
type explained struct {
	config, data string
	headers      []string
	caller       bff.Principal
}

func explainCommand() *cobra.Command {
	var e explained

	cmd := &cobra.Command{
		Use:   "explain METHOD PATH",
		Short: "Print which RPC a request reaches, and the result of each policy",
		Long: `Print which RPC of which backend a request reaches, with its path variables and request message, and the result of
each access check and of each other policy; for a composite, also the calls that it would make. No backend is called.
The exit code is 0 if the request would be allowed, 1 if it would be refused.`,
		Example: `  portico explain GET /v1/users/alice/orders --as alice
  portico explain GET /v1/users/alice/orders --as bob --scope orders:admin
  portico explain POST /v1/orders --as alice --data '{"items": [{"sku": "A1"}]}' --header 'Idempotency-Key: 42'
  portico explain POST /v1/orders --as alice --data @order.json
  portico explain GET /v1/me/dashboard --as alice --output json | jq .legs`,
		Args:              requestArgs,
		ValidArgsFunction: completeRoute,
	}
	out := addOutput(cmd)
	flags := cmd.Flags()
	flags.StringVar(&e.caller.Subject, "as", "", "the caller's subject; without it, the caller is anonymous")
	flags.StringSliceVar(&e.caller.Scopes, "scope", nil, "a scope of the caller; may be repeated")
	flags.StringSliceVar(&e.caller.Roles, "role", nil, "a role of the caller; may be repeated")
	flags.StringVar(&e.caller.Tenant, "tenant", "", "the caller's tenant")
	flags.StringVar(&e.caller.Issuer, "issuer", "", "the issuer of the caller's token")
	flags.StringVar(&e.data, "data", "", "the body, as JSON; @FILE reads it from a file, @- from standard input")
	flags.StringArrayVar(&e.headers, "header", nil, `a header of the request, "Name: value"; may be repeated`)
	addConfig(cmd, &e.config, "for upstreams, and for defaults that the schema leaves to it: "+configUsage)

	for _, name := range []string{"as", "scope", "role", "tenant", "issuer", "header"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions) // It exists, some lines above.
	}

	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return explain(cmd, args[0], args[1], e, out)
	}

	return cmd
}

func explain(cmd *cobra.Command, method, target string, e explained, out *output) error {
	caller := reqinfo.Principal{Subject: e.caller.Subject, Scopes: e.caller.Scopes, Roles: e.caller.Roles, Tenant: e.caller.Tenant}
	if err := caller.Check(); err != nil && !caller.Anonymous() {
		return usagef("no credentials can belong to this caller: %w", err)
	}

	r, err := e.request(cmd, method, target)
	if err != nil {
		return err
	}

	compiled, err := compile(e.config)
	if err != nil {
		return err
	}

	found, err := compiled.Explain(cmd.Context(), r, e.caller)
	if err != nil {
		return configError{error: err}
	}

	if err := out.write(cmd, jsonOf(found), func() error { return printExplanation(cmd, found) }); err != nil {
		return err
	}

	if !found.Allowed() {
		return errRefused
	}

	return nil
}

// requestArgs accepts a method and a path.
func requestArgs(cmd *cobra.Command, args []string) error {
	const wanted = 2 // METHOD and PATH.

	switch {
	case len(args) > 0 && len(args) <= wanted && strings.HasPrefix(args[0], "/"):
		return usagef("%q is not a method: METHOD comes first, as in %s GET %s", args[0], cmd.CommandPath(), args[0])
	case len(args) == 1:
		return usagef("PATH is missing, as in %s %s /v1/users/alice/orders", cmd.CommandPath(), args[0])
	case len(args) == 0:
		return usagef("METHOD and PATH are missing, as in %s GET /v1/users/alice/orders", cmd.CommandPath())
	default:
		return atMost(wanted, "METHOD and PATH")(cmd, args)
	}
}

func (e explained) request(cmd *cobra.Command, method, target string) (*http.Request, error) {
	at, err := url.ParseRequestURI(target)
	if escape := url.EscapeError(""); errors.As(err, &escape) {
		return nil, usagef("PATH: %q has %q, which is not a percent-encoding", target, string(escape))
	}

	if err != nil {
		return nil, usagef("PATH: %q is not a path that begins with a slash, such as /v1/users/alice", target)
	}

	body, err := e.body(cmd.InOrStdin())
	if err != nil {
		return nil, err
	}

	r, err := http.NewRequestWithContext(cmd.Context(), strings.ToUpper(method), at.String(), strings.NewReader(body))
	if err != nil {
		return nil, usagef("METHOD: %q is not a method, such as GET", method)
	}

	for _, header := range e.headers {
		name, value, ok := strings.Cut(header, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)

		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, usagef(`--header: %q is not "Name: value"`, header)
		}

		r.Header.Add(name, value)
	}

	return r, nil
}

// body returns the value of --data or, with @ as for curl, the content of a file or of standard input.
func (e explained) body(stdin io.Reader) (string, error) {
	name, isFile := strings.CutPrefix(e.data, "@")

	switch {
	case !isFile:
		return e.data, nil
	case name == "":
		return "", usagef("--data: @ needs the name of a file, or - for standard input")
	}

	read := func() ([]byte, error) { return os.ReadFile(name) } //nolint:gosec // The caller names the file.
	if name == "-" {
		read = func() ([]byte, error) { return io.ReadAll(stdin) }
	}

	text, err := read()
	if err != nil {
		return "", usagef("--data: %w", err)
	}

	return string(text), nil
}

// explanation is the JSON form of bff.Explanation.
type explanation struct {
	Allowed   bool              `json:"allowed"`
	Summary   string            `json:"summary"`
	Route     *bff.Route        `json:"route,omitempty"`
	Addresses []string          `json:"addresses,omitempty"`
	Legs      []legExplanation  `json:"legs,omitempty"`
	LegsError string            `json:"legs_error,omitempty"`
	Variables map[string]string `json:"variables,omitempty"`
	Request   any               `json:"request,omitempty"`
	Access    []policyResult    `json:"access,omitempty"`
	Policies  []policyResult    `json:"policies,omitempty"`
	// Status and Answer are the problem document, if the route, the path or the body is refused.
	Status int `json:"status,omitempty"`
	Answer any `json:"answer,omitempty"`
}

// legExplanation is the JSON form of bff.Leg.
type legExplanation struct {
	Upstream string         `json:"upstream"`
	RPC      string         `json:"rpc"`
	Required bool           `json:"required"`
	Access   []policyResult `json:"access,omitempty"`
	Limits   []string       `json:"limits,omitempty"`
	Batch    string         `json:"batch,omitempty"`
	Cache    string         `json:"cache,omitempty"`
}

func legOf(leg bff.Leg) legExplanation {
	e := legExplanation{
		Upstream: leg.Upstream, RPC: leg.RPC, Required: leg.Required, Limits: leg.Limits, Batch: leg.Batch, Cache: leg.Cache,
	}
	for _, check := range leg.Access {
		e.Access = append(e.Access, checkResult(check))
	}

	return e
}

// policyResult is the result of an access check or of another policy.
type policyResult struct {
	Policy string `json:"policy"`
	Says   string `json:"says,omitempty"`
	// Result is that of an access check: "allowed", "refused" or, if it depends on the reply to another leg, "unknown". OK is false
	// if it is refused.
	Result string `json:"result,omitempty"`
	OK     bool   `json:"ok"`
	Fault  string `json:"fault,omitempty"`
}

func resultOf(policy, says string, fault error) policyResult {
	r := policyResult{Policy: policy, Says: says, OK: fault == nil}
	if fault != nil {
		r.Fault = fault.Error()
	}

	return r
}

func checkResult(check bff.Check) policyResult {
	r := resultOf(check.Requirement, "", check.Fault)

	switch {
	case check.Fault != nil:
		r.Result = "refused"
	case check.Unknown:
		r.Result = "unknown"
	default:
		r.Result = "allowed"
	}

	return r
}

func jsonOf(found bff.Explanation) explanation {
	e := explanation{
		Allowed: found.Allowed(), Summary: summary(found), Route: found.Route, Addresses: found.Addresses,
		LegsError: legsError(found), Variables: found.Variables, Status: found.Status,
	}

	if found.Request != nil {
		e.Request = jsonText(requestText(found.Request))
	} else {
		e.Answer = jsonText(found.Problem)
	}

	for _, leg := range found.Legs {
		e.Legs = append(e.Legs, legOf(leg))
	}

	for _, v := range found.Access {
		e.Access = append(e.Access, checkResult(v))
	}

	for _, f := range found.Effects {
		e.Policies = append(e.Policies, resultOf(f.Policy, f.Says, f.Fault))
	}

	return e
}

// summary is one line: the result, and what to try next.
func summary(found bff.Explanation) string {
	switch {
	case found.Route == nil:
		return fmt.Sprintf("refused with %d: portico routes lists what there is", found.Status)
	case found.Allowed() && found.Route.Composite:
		return "allowed: it would reach " + found.Route.RPC + ", inside the gateway"
	case found.Allowed():
		return "allowed: it would reach " + found.Route.RPC + " of " + found.Route.Upstream
	}

	for _, v := range found.Access {
		if v.Fault != nil {
			return refusal(v)
		}
	}

	for _, f := range found.Effects {
		if f.Fault != nil {
			status := cmp.Or(found.Status, http.StatusBadRequest)

			return fmt.Sprintf("refused with %d by the policy %q: %v", status, f.Policy, f.Fault)
		}
	}

	if leg, refused := found.RefusedLeg(); refused {
		v, _ := leg.Refused()

		return fmt.Sprintf("refused by the required leg %s: %s", leg.RPC, refusal(v))
	}

	return fmt.Sprintf("refused with %d: the response says what is wrong with the request", found.Status)
}

func refusal(v bff.Check) string {
	text := fmt.Sprintf("refused with %d: it requires %q", http.StatusForbidden, v.Requirement)

	switch {
	case v.Requirement == "authenticated":
		return fmt.Sprintf("refused with %d: it needs a caller, such as --as alice", http.StatusUnauthorized)
	case strings.Contains(v.Requirement, "role"):
		return text + "; --role gives the caller a role"
	case strings.HasPrefix(v.Requirement, "if "):
		return text
	default:
		return text + "; --as names another caller, and --scope gives it a scope"
	}
}
