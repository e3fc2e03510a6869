// Package protolint finds mistakes, and what is probably one, in the REST routes and policies of .proto files: what a gateway would
// refuse to start with, and what it would serve unexpectedly. Every finding has a position.
//
// It does not check names, packages and comments; buf lint does.
package protolint

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// Finding is a fault and where it is.
type Finding struct {
	protopos.Position

	// Rule is the name of the rule that is broken.
	Rule string `json:"rule"`
	// Message says what is wrong and what to do about it.
	Message string `json:"message"`
	// Refused reports whether a gateway does not start with it, or its code cannot be generated.
	Refused bool `json:"refused"`
}

// String is the finding on one line, as editors understand it: "file:line:column: RULE: message".
func (f Finding) String() string { return f.Position.String() + ": " + f.Rule + ": " + f.Message }

// Rule is something to find.
type Rule struct {
	// Name is what findings and comments call it.
	Name string `json:"name"`
	// Purpose says what it requires, and why.
	Purpose string `json:"purpose"`
	// Refused reports that a gateway does not start with it, so that it cannot be ignored.
	Refused bool `json:"refused"`
}

// The names of the rules.
const (
	ProtoInvalid      = "PROTO_INVALID"
	GoPackageInvalid  = "GO_PACKAGE_INVALID"
	RouteInvalid      = "ROUTE_INVALID"
	RouteConflict     = "ROUTE_CONFLICT"
	RouteHidden       = "ROUTE_HIDDEN"
	BodyUnexpected    = "BODY_UNEXPECTED"
	ServiceInvalid    = "SERVICE_INVALID"
	AccessMissing     = "ACCESS_MISSING"
	PolicyInvalid     = "POLICY_INVALID"
	ValidationInvalid = "VALIDATION_INVALID"
	RetryUnsafe       = "RETRY_UNSAFE"
	SafeUndeclared    = "SAFE_UNDECLARED"
	CacheShared       = "CACHE_PRIVATE_SHARED"
	ListUnpaged       = "LIST_UNPAGED"
	LocationUnrouted  = "LOCATION_UNROUTED"
	IgnoreInvalid     = "IGNORE_INVALID"
)

// Rules lists all rules.
func Rules() []Rule {
	return []Rule{
		{ProtoInvalid, "the files compile, and what they import is there", true},
		{GoPackageInvalid, "go_package is the folder that buf.gen.yaml has the code written to", true},
		{RouteInvalid, "google.api.http names an HTTP method, a path and fields that there are", true},
		{RouteConflict, "no two routes contend for a path, and each can be reached", true},
		{ServiceInvalid, "portico.v1.service names an upstream, or the service is a composite", true},
		{AccessMissing, "every route says who may call, by itself or by its service", true},
		{PolicyInvalid, "portico.v1 options make sense and name fields and variables that there are", true},
		{ValidationInvalid, "buf.validate rules of requests compile", true},
		{
			BodyUnexpected,
			"GET, HEAD and DELETE have no body: clients and proxies drop it (RFC 9110, section 9.3)", false,
		},
		{
			RetryUnsafe,
			"only what is safe to be made again is retried or hedged: by an idempotency_level that is true, or by a key", false,
		},
		{SafeUndeclared, "GET and HEAD say idempotency_level = NO_SIDE_EFFECTS, without which they are never retried", false},
		{CacheShared, "responses that depend on the caller are not cached for all (cache.scope)", false},
		{ListUnpaged, "lists have page_size, page_token and next_page_token (AIP-158), before they have grown", false},
		{
			RouteHidden,
			"no route has the path of a page of the gateway, such as /docs, unless that is off (docs.page, docs.openapi)",
			false,
		},
		{LocationUnrouted, "what response.location leads to can be got", false},
		{IgnoreInvalid, "comments that ignore a rule name one that can be ignored, and say why", true},
	}
}

// Settings are what is known besides the files. The zero value is that of any gateway.
type Settings struct {
	// Rules are those of routes that are not in the files.
	Rules schema.Rules
	// Defaults hold where the options say nothing. Zero: those of any gateway.
	Defaults policy.Defaults
	// NoDeleteBody refuses DELETE with a body.
	NoDeleteBody bool
	// GoPackage returns what the import path of a file's code has to be. Nil: anything.
	GoPackage func(file string) string
	// Path returns the path by which a file is shown. Nil: the one by which it is imported.
	Path func(file string) string
}

// Faults returns the findings with which a gateway does not start, or its code cannot be generated; see Check.
func Faults(files []protoreflect.FileDescriptor, settings Settings) []Finding {
	return slices.DeleteFunc(Check(files, settings), func(f Finding) bool { return !f.Refused })
}

// Check returns the findings in files that belong to one API, by position. The files need source information for positions and
// comments that ignore rules:
//
//	// portico:lint:ignore LIST_UNPAGED There are never more than twelve months.
//
// before an RPC, or before a service for all of its RPCs.
func Check(files []protoreflect.FileDescriptor, settings Settings) []Finding {
	if settings.Defaults.Timeout == 0 {
		settings.Defaults.Timeout, settings.Defaults.MaxBody = time.Second, 1
	}

	l := &linter{settings: settings, ignored: map[protoreflect.FullName][]string{}}

	l.collect(policy.Services(files))
	l.goPackages(files)
	l.access()
	l.unknown(files)
	l.conflicts()
	l.validation()

	for _, e := range l.endpoints {
		l.unexpectedBody(e)
		l.caches(e)
		l.locations(e)
		l.hidden(e)

		if e.first {
			l.retries(e)
			l.lists(e)
		}
	}

	slices.SortFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(a.Compare(b.Position), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})

	return slices.Compact(l.findings)
}

// endpoint is a route with its policy.
type endpoint struct {
	policy.Endpoint

	// first reports whether it is the first route of its method: what is wrong with the method is said once.
	first bool
}

type linter struct {
	settings  Settings
	endpoints []endpoint
	// noAccess are the routes that nothing says who may call.
	noAccess []schema.Route

	findings []Finding
	// ignored are the rules that comments name, by the element that they stand before.
	ignored map[protoreflect.FullName][]string
}

// find adds a finding about a method or a service, unless a comment before it, or before its service, says otherwise.
func (l *linter) find(element protoreflect.Descriptor, at protopos.Position, rule, message string) {
	for e := element; e != nil; e = e.Parent() {
		if slices.Contains(l.ignored[e.FullName()], rule) {
			return
		}
	}

	l.findings = append(l.findings, Finding{Position: l.shown(at), Rule: rule, Message: message, Refused: refused(rule)})
}

// refused reports whether a gateway does not start with what breaks a rule.
func refused(rule string) bool {
	i := slices.IndexFunc(Rules(), func(r Rule) bool { return r.Name == rule })

	return rule != IgnoreInvalid && Rules()[i].Refused
}

// shown is a position with the path by which the file is shown.
func (l *linter) shown(at protopos.Position) protopos.Position {
	if l.settings.Path != nil {
		at.File = l.settings.Path(at.File)
	}

	return at
}
