package scaffold

import (
	"errors"
	"fmt"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
)

// names are what the templates are filled with (values).
type names struct {
	// Module is the Go module of the checkout.
	Module string
	// Name is the service's: "catalog".
	Name string
	// Service is the name in the proto: "CatalogService".
	Service string
	// Resource is what it keeps, "LoyaltyCard"; the others are for texts: "loyalty card", "a loyalty card", "loyalty cards".
	Resource, Noun, ANoun, Nouns string
	// Var is a field that holds one, "loyalty_card"; Plural one that holds several, and the table. The others are their Go names.
	Var, VarGo, Plural, PluralGo string
	// ID is the field of its identifier: "loyalty_card_id", in Go "LoyaltyCardId".
	ID, IDGo string
	// Path is the collection's: "/v1/loyaltyCards" (AIP-122).
	Path string
	// Scope is what one needs for writing: "catalog:write".
	Scope string
}

// values are those of the placeholders. The names of the columns of the table are padded: their types are below each other.
func (n names) values() values {
	v := values{
		"Module": n.Module, "Name": n.Name, "Service": n.Service, "Resource": n.Resource, "Noun": n.Noun, "ANoun": n.ANoun,
		"Nouns": n.Nouns, "Var": n.Var, "VarGo": n.VarGo, "Plural": n.Plural, "PluralGo": n.PluralGo, "ID": n.ID, "IDGo": n.IDGo,
		"Path": n.Path, "Scope": n.Scope,
	}

	pad := func(column string) string { return fmt.Sprintf("%-*s", max(len(n.ID), len("create_time")), column) }

	v["column"] = pad(n.ID)
	for _, column := range []string{"title", "description", "labels", "create_time", "update_time"} {
		v["column "+column] = pad(column)
	}

	return v
}

// Letters alone: generators for Go and others do not agree on what a digit does to the letters behind it.
var (
	namePattern     = regexp.MustCompile(`^[a-z]{3,30}$`)
	resourcePattern = regexp.MustCompile(`^([A-Z][a-z]+)+$`)
	pluralPattern   = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	wordPattern     = regexp.MustCompile(`[A-Z][a-z]+`)

	errName     = errors.New("its name is one word of 3 to 30 lower-case letters")
	errReserved = errors.New("the name is taken by a language or a tool: choose another one")
	errResource = errors.New("a resource is named in upper camel case, by 30 letters at most, like LoyaltyCard")
	errClash    = errors.New("it would clash with names that every service has: choose another one with --resource or --plural")
	errPlural   = errors.New("a plural is in lower snake case, like loyalty_cards")
)

// maxResource bounds identifiers: the resource, "_" and 26 characters have to be 63 at most.
const maxResource = 30

// nameAll derives all names.
func nameAll(opts Options) (names, error) {
	if err := checkName(opts.Name); err != nil {
		if joined, words := join(opts.Name); joined != "" && len(words) > 1 {
			err = fmt.Errorf("%w --resource %s", err, camel(strings.ToLower(strings.Join(words, "_"))))
		}

		return names{}, fmt.Errorf("service %q: %w", opts.Name, err)
	}

	n := names{Name: opts.Name, Service: capital(opts.Name) + "Service", Resource: opts.Resource, Scope: opts.Name + ":write"}
	if n.Resource == "" {
		n.Resource = capital(opts.Name)
	}

	if !resourcePattern.MatchString(n.Resource) || len(n.Resource) > maxResource {
		return names{}, fmt.Errorf("resource %q: %w", n.Resource, errResource)
	}

	words := wordPattern.FindAllString(n.Resource, -1)
	n.Noun = strings.ToLower(strings.Join(words, " "))
	n.ANoun = article(n.Noun) + " " + n.Noun
	n.Var = strings.ReplaceAll(n.Noun, " ", "_")
	n.VarGo = n.Resource
	n.ID, n.IDGo = n.Var+"_id", n.Resource+"Id"

	if n.Plural = opts.Plural; n.Plural == "" {
		n.Plural = plural(n.Var)
	}

	if !pluralPattern.MatchString(n.Plural) || len(n.Plural) > 2*maxResource {
		return names{}, fmt.Errorf("plural %q: %w", n.Plural, errPlural)
	}

	if n.clashes() {
		return names{}, fmt.Errorf("resource %s, plural %s: %w", n.Resource, n.Plural, errClash)
	}

	n.Nouns = strings.ReplaceAll(n.Plural, "_", " ")
	n.PluralGo = camel(n.Plural)
	n.Path = "/v1/" + strings.ToLower(n.PluralGo[:1]) + n.PluralGo[1:]

	return n, nil
}

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		if joined, _ := join(name); joined != "" {
			return fmt.Errorf("%w: try %s", errName, joined)
		}

		return errName
	}

	reserved := []string{"portico", "google", "buf", "grpc", "main", "internal", "vendor", "testdata"}
	if token.IsKeyword(name) || types.Universe.Lookup(name) != nil || slices.Contains(reserved, name) {
		return errReserved
	}

	return nil
}

// join returns the words of a name, and a name that has them without what is between. Empty: that is no name either.
func join(name string) (joined string, words []string) {
	words = strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' })

	if joined = strings.ToLower(strings.Join(words, "")); !namePattern.MatchString(joined) {
		joined = ""
	}

	return joined, words
}

// reservedSQL are the keywords of SQLite that cannot be the name of a table, as far as they can be a word.
const reservedSQL = `add all alter and as autoincrement between case check collate commit constraint create default deferrable
	delete distinct drop else escape except exists foreign from group having if in index insert intersect into is isnull join limit
	not nothing notnull null on or order primary references returning select set table then to transaction union unique update using
	values when where`

// reservedGo are the methods of generated messages. A field of such a name gets another one in Go (google.golang.org/protobuf,
// compiler/protogen).
const reservedGo = "Reset String ProtoMessage ProtoReflect Marshal Unmarshal ExtensionRangeArray ExtensionMap Descriptor"

// clashes with fields, tables and generated types that a service has anyway.
func (n names) clashes() bool {
	methods := strings.Fields(reservedGo)

	return slices.Contains(methods, n.Resource) || slices.Contains(methods, camel(n.Plural)) ||
		strings.HasPrefix(n.Resource, n.Service) ||
		slices.Contains([]string{"request", "update_mask"}, n.Var) ||
		slices.Contains([]string{"requests", "next_page_token", "total_size"}, n.Plural) ||
		strings.HasPrefix(n.Plural, "sqlite_") || slices.Contains(strings.Fields(reservedSQL), n.Plural)
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func camel(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		b.WriteString(capital(word))
	}

	return b.String()
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}

	return "a"
}

// plural follows the simple rules of English; --plural is for the others.
func plural(word string) string {
	ends := func(suffixes ...string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(word, s) })
	}

	switch {
	case ends("s", "x", "z", "ch", "sh"):
		return word + "es"
	case ends("y") && !ends("ay", "ey", "iy", "oy", "uy"):
		return strings.TrimSuffix(word, "y") + "ies"
	default:
		return word + "s"
	}
}
