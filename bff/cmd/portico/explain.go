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

// errRefused makes the exit code of an explanation tell its end.
var errRefused = errors.New("the request would be refused")

// asked is the request of an explanation.
type asked struct {
	config, data string
	headers      []string
	caller       bff.Principal
}

func explainCommand() *cobra.Command {
	var a asked

	cmd := &cobra.Command{
		Use:   "explain METHOD PATH",
		Short: "Tell which RPC a request reaches and what each policy says to it",
		Long: `Tell which RPC of which backend a request reaches, with which path variables and which request message, and what
each demand of its access policy and each other policy says to it. Of a composite it tells which calls it would make.
No backend is called. The exit code is 0 if the request is allowed, 1 if it is refused.`,
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
	flags.StringVar(&a.caller.Subject, "as", "", "the caller's subject; without it, the caller is anonymous")
	flags.StringSliceVar(&a.caller.Scopes, "scope", nil, "a scope of the caller; may be repeated")
	flags.StringSliceVar(&a.caller.Roles, "role", nil, "a role of the caller; may be repeated")
	flags.StringVar(&a.caller.Tenant, "tenant", "", "the caller's tenant")
	flags.StringVar(&a.caller.Issuer, "issuer", "", "the issuer of the caller's token")
	flags.StringVar(&a.data, "data", "", "the body, as JSON; @FILE reads it from a file, @- from standard input")
	flags.StringArrayVar(&a.headers, "header", nil, `a header of the request, "Name: value"; may be repeated`)
	addConfig(cmd, &a.config, "for upstreams, and for defaults that the schema leaves to it: "+configUsage)

	for _, name := range []string{"as", "scope", "role", "tenant", "issuer", "header"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions) // It exists, some lines above.
	}

	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return explain(cmd, args[0], args[1], a, out)
	}

	return cmd
}

func explain(cmd *cobra.Command, method, target string, a asked, out *output) error {
	cfg, err := readConfig(a.config)
	if err != nil {
		return err
	}

	caller := reqinfo.Principal{Subject: a.caller.Subject, Scopes: a.caller.Scopes, Roles: a.caller.Roles, Tenant: a.caller.Tenant}
	if err := caller.Check(); err != nil && !caller.Anonymous() {
		return usagef("no credentials can belong to this caller: %w", err)
	}

	r, err := a.request(cmd, method, target)
	if err != nil {
		return err
	}

	compiled, err := bff.Compile(cfg, services()...)
	if err != nil {
		return configError{error: err}
	}

	found, err := compiled.Explain(cmd.Context(), r, a.caller)
	if err != nil {
		return configError{error: err}
	}

	if out.json {
		err = printJSON(cmd.OutOrStdout(), jsonOf(found))
	} else {
		err = printExplanation(cmd, found)
	}

	if err != nil {
		return err
	}

	if !found.Allowed() {
		return errRefused
	}

	return nil
}

// requestArgs takes a method and a path, and says which of them is missing.
func requestArgs(cmd *cobra.Command, args []string) error {
	const wanted = 2 // METHOD and PATH.

	switch {
	case len(args) > wanted:
		return usagef("%q is too much: the command takes METHOD and PATH", args[wanted])
	case len(args) > 0 && strings.HasPrefix(args[0], "/"):
		return usagef("%q is not a method: METHOD comes first, as in %s GET %s", args[0], cmd.CommandPath(), args[0])
	case len(args) == wanted:
		return nil
	case len(args) == 1:
		return usagef("PATH is missing, as in %s %s /v1/users/alice/orders", cmd.CommandPath(), args[0])
	default:
		return usagef("METHOD and PATH are missing, as in %s GET /v1/users/alice/orders", cmd.CommandPath())
	}
}

func (a asked) request(cmd *cobra.Command, method, target string) (*http.Request, error) {
	at, err := url.ParseRequestURI(target)
	if escape := url.EscapeError(""); errors.As(err, &escape) {
		return nil, usagef("PATH: %q has %q, which is not a percent-encoding", target, string(escape))
	}

	if err != nil {
		return nil, usagef("PATH: %q is not a path that begins with a slash, such as /v1/users/alice", target)
	}

	body, err := a.body(cmd.InOrStdin())
	if err != nil {
		return nil, err
	}

	r, err := http.NewRequestWithContext(cmd.Context(), strings.ToUpper(method), at.String(), strings.NewReader(body))
	if err != nil {
		return nil, usagef("METHOD: %q is not a method, such as GET", method)
	}

	for _, header := range a.headers {
		name, value, ok := strings.Cut(header, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)

		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, usagef(`--header: %q is not "Name: value"`, header)
		}

		r.Header.Add(name, value)
	}

	return r, nil
}

// body is what --data says: the text itself or, as curl has it, what a file or standard input has.
func (a asked) body(stdin io.Reader) (string, error) {
	name, isFile := strings.CutPrefix(a.data, "@")

	var (
		text []byte
		err  error
	)

	switch {
	case !isFile:
		return a.data, nil
	case name == "":
		return "", usagef("--data: @ needs the name of a file, or - for standard input")
	case name == "-":
		text, err = io.ReadAll(stdin)
	default:
		text, err = os.ReadFile(name) //nolint:gosec // The caller names the file.
	}

	if err != nil {
		return "", usagef("--data: %w", err)
	}

	return string(text), nil
}

// explanation is one as it is printed as JSON.
type explanation struct {
	Allowed   bool              `json:"allowed"`
	Summary   string            `json:"summary"`
	Route     *bff.Route        `json:"route,omitempty"`
	Addresses []string          `json:"addresses,omitempty"`
	Legs      []bff.Leg         `json:"legs,omitempty"`
	Variables map[string]string `json:"variables,omitempty"`
	Request   any               `json:"request,omitempty"`
	Access    []verdict         `json:"access,omitempty"`
	Policies  []verdict         `json:"policies,omitempty"`
	// Status and Answer are the problem document, if the route, the path or the body rule the request out.
	Status int `json:"status,omitempty"`
	Answer any `json:"answer,omitempty"`
}

// verdict is what a policy says.
type verdict struct {
	Policy string `json:"policy"`
	Says   string `json:"says,omitempty"`
	OK     bool   `json:"ok"`
	Fault  string `json:"fault,omitempty"`
}

func verdictOf(policy, says string, fault error) verdict {
	v := verdict{Policy: policy, Says: says, OK: fault == nil}
	if fault != nil {
		v.Fault = fault.Error()
	}

	return v
}

func jsonOf(found bff.Explanation) explanation {
	e := explanation{
		Allowed: found.Allowed(), Summary: summary(found), Route: found.Route, Addresses: found.Addresses, Legs: found.Legs,
		Variables: found.Variables, Status: found.Status,
	}

	if found.Request != nil {
		e.Request = jsonText(requestText(found.Request))
	} else {
		e.Answer = jsonText(found.Problem)
	}

	for _, v := range found.Access {
		e.Access = append(e.Access, verdictOf(v.Requirement, "", v.Fault))
	}

	for _, f := range found.Effects {
		e.Policies = append(e.Policies, verdictOf(f.Policy, f.Says, f.Fault))
	}

	return e
}

// summary says on one line how it ends, and what to try next.
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
		if v.Fault == nil {
			continue
		}

		return refusal(v)
	}

	for _, f := range found.Effects {
		if f.Fault != nil {
			status := cmp.Or(found.Status, http.StatusBadRequest)

			return fmt.Sprintf("refused with %d by the policy %q: %v", status, f.Policy, f.Fault)
		}
	}

	return fmt.Sprintf("refused with %d: the answer says what is wrong with the request", found.Status)
}

func refusal(v bff.Check) string {
	text := fmt.Sprintf("refused with %d: it demands %q", http.StatusForbidden, v.Requirement)

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
