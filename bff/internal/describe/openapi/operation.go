package openapi

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

func (b *builder) operation(op policy.Endpoint, parameters []*Parameter) (*OperationObject, error) {
	method := op.Route.Descriptor

	query, err := b.query(op)
	if err != nil {
		return nil, err
	}

	headers, err := b.headers(op)
	if err != nil {
		return nil, err
	}

	body, err := b.body(op)
	if err != nil {
		return nil, err
	}

	responses, err := b.responses(op)
	if err != nil {
		return nil, err
	}

	out := &OperationObject{
		Tags:        []string{b.tag(method.Parent())},
		Summary:     words(string(method.Name())),
		Description: sentences(b.comment(method), "\n\n"+b.policyWords(op)),
		OperationID: b.id(op),
		Parameters:  slices.Concat(parameters, query, headers),
		RequestBody: body, Responses: responses,
		Security: b.security(op.Policy.Access),
		Enforced: b.enforced(op),
	}

	if options, ok := method.Options().(*descriptorpb.MethodOptions); ok {
		out.Deprecated = options.GetDeprecated()
	}

	return out, nil
}

// id is the operation's name, "OrderService_GetOrder". Further routes of an RPC, and services of the same name, get more of a name.
func (b *builder) id(op policy.Endpoint) string {
	method := op.Route.Descriptor
	short := fmt.Sprintf("%s_%s", method.Parent().Name(), method.Name())
	id := short

	for n := 2; b.ids[id]; n++ {
		id = fmt.Sprintf("%s_%d", short, n)
	}

	b.ids[id] = true

	return id
}

// words makes a sentence of a name: "GetMyDashboard" becomes "Get my dashboard".
func words(name string) string {
	var out strings.Builder

	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			out.WriteByte(' ')

			r = unicode.ToLower(r)
		}

		out.WriteRune(r)
	}

	return out.String()
}

// enforced is the policy for programs.
func (b *builder) enforced(op policy.Endpoint) *Enforced {
	p := op.Policy
	out := &Enforced{RPC: op.Route.RPC[1:], Access: p.Access.String(), Timeout: p.Timeout.String()}

	switch {
	case b.config.AuthDisabled:
		out.Access = "public"
	case b.config.WithoutConditions && p.Access.Condition != nil:
		p.Access.Condition = nil
		out.Access = p.Access.String() + "; if a condition holds"
	}

	for _, l := range p.RateLimits {
		out.RateLimits = append(out.RateLimits, l.String())
	}

	if op.Route.Body != "" {
		out.MaxBodyBytes = p.MaxBody
	}

	if p.Cache != nil && !b.config.CacheDisabled {
		out.Cache = p.Cache.String()
	}

	if p.Retry != nil && p.Retry.MaxAttempts > 1 {
		out.Retry = p.Retry.String()
	}

	return out
}

// policyWords is the policy for people, as a list in Markdown.
func (b *builder) policyWords(op policy.Endpoint) string {
	p := op.Policy
	lines := []string{"- **Who:** " + b.who(p.Access)}

	for _, l := range p.RateLimits {
		lines = append(lines, "- **How often:** "+limitWords(l))
	}

	lines = append(lines, "- **How long:** at most "+span(p.Timeout))

	if b.kept(op) {
		lines = append(lines, fmt.Sprintf("- **Kept:** for %s, %s", span(p.Cache.TTL), audience(*p.Cache)))
	}

	return strings.Join(lines, "\n")
}

func audience(c policy.Cache) string {
	if c.Public {
		return "the same for all callers"
	}

	return "for each caller"
}

func limitWords(l policy.RateLimit) string {
	by := map[policy.Key]string{
		policy.KeyPrincipal: "caller", policy.KeyClientAddress: "client address", policy.KeyAPIKey: "API key",
		policy.KeyTenant: "tenant",
	}

	of := "for each " + by[l.Key]
	if l.Key == policy.KeyGlobal {
		of = "for all callers together"
	}

	text := fmt.Sprintf("%s a day %s", quantity(l.Requests, "request"), of)
	if !l.Daily {
		text = fmt.Sprintf("%s %s, %d at once, %s", quantity(l.Requests, "request"), every(l.Per), l.Burst, of)
	}

	if l.Cost > 1 {
		text += fmt.Sprintf("; this one counts as %d", l.Cost)
	}

	return text
}

func every(d time.Duration) string {
	switch d {
	case time.Second:
		return "a second"
	case time.Minute:
		return "a minute"
	case time.Hour:
		return "an hour"
	default:
		return "every " + span(d)
	}
}

// span writes a duration without the zeros behind it: "1m" and not "1m0s".
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}

	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}

	return text
}

// size writes a number of bytes in the largest unit of which it is a multiple.
func size(bytes int64) string {
	const unit = 1024

	for _, name := range []string{"bytes", "KiB", "MiB"} {
		if bytes%unit != 0 || bytes == 0 {
			return fmt.Sprintf("%d %s", bytes, name)
		}

		bytes /= unit
	}

	return fmt.Sprintf("%d GiB", bytes)
}
