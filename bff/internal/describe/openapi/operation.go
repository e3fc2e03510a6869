package openapi

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func (b *builder) operation(op policy.Endpoint, parameters []*Parameter) *OperationObject {
	method := op.Descriptor
	out := &OperationObject{
		Tags:        []string{b.tag(method.Parent())},
		Summary:     words(string(method.Name())),
		Description: sentences(b.comment(method), "\n\n"+b.policyWords(op)),
		OperationID: b.id(op),
		Parameters:  slices.Concat(parameters, b.query(op), b.selection(op), b.headers(op)),
		RequestBody: b.body(op), Responses: b.responses(op),
		Security: b.security(op.Policy.Effective.GetAccess()),
		Enforced: b.enforced(op),
	}

	if options, ok := method.Options().(*descriptorpb.MethodOptions); ok {
		out.Deprecated = options.GetDeprecated()
	}

	return out
}

// id is the operation's name, "OrderService_GetOrder". Further routes of an RPC, and services of the same name, get more of a name.
func (b *builder) id(op policy.Endpoint) string {
	method := op.Descriptor
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

// policyOf is the policy that clients meet.
func (b *builder) policyOf(op policy.Endpoint) policy.Policy {
	p := op.Policy
	p.Effective = proto.CloneOf(p.Effective)

	if b.gateway.Auth.Disabled {
		p.Effective.Access = &porticov1.Access{Public: true}
	}

	if b.gateway.Cache.Disabled {
		p.Effective.Cache = nil
	}

	if op.Body == "" {
		p.Effective.MaxBodyBytes = nil
	}

	return p
}

// texts are what the table says to clients of a field of the policy.
func (b *builder) texts(p policy.Policy, field string, long bool) []string {
	// Conditions may name subjects and tenants.
	hidden := b.gateway.Docs.OpenAPI == config.DocsPublic && p.Condition != nil && field == "access"
	if hidden {
		p.Effective.Access.Condition = ""
	}

	said := p.Texts(field, policy.Style{Long: long, Clients: true})
	if hidden && len(said) > 0 && !b.gateway.Auth.Disabled {
		separator := "; "
		if long {
			separator = ", "
		}

		said[0] += separator + "if a condition holds"
	}

	return said
}

// enforced is the policy for programs.
func (b *builder) enforced(op policy.Endpoint) *Enforced {
	p := b.policyOf(op)
	one := func(field string) string { return strings.Join(b.texts(p, field, false), ", ") }

	return &Enforced{
		RPC: op.RPC[1:], Access: one("access"), RateLimits: b.texts(p, "rate_limits", false), Timeout: one("timeout"),
		MaxBodyBytes: p.Effective.GetMaxBodyBytes(), Cache: one("cache"), Retry: strings.TrimPrefix(one("retry"), "retried "),
	}
}

// policyWords is the policy for people, as a list in Markdown.
func (b *builder) policyWords(op policy.Endpoint) string {
	p := b.policyOf(op)
	if p.Cache != nil && p.Cache.TTL == 0 {
		p.Effective.Cache = nil
	}

	var lines []string

	for _, field := range policy.Fields() {
		if field.Clients == "" {
			continue
		}

		for _, text := range b.texts(p, field.Path, true) {
			lines = append(lines, "- **"+field.Clients+":** "+text)
		}
	}

	return strings.Join(lines, "\n")
}

// size writes a number of bytes in the largest unit that divides it.
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
