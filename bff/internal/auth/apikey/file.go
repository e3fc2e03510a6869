package apikey

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/yamldoc"
)

// Entry is a key in the file.
type Entry struct {
	// ID is the public part of the key.
	ID string `yaml:"id"`
	// SHA256 is the Hash of the whole key.
	SHA256 string `yaml:"sha256"`
	// Subject, Scopes, Roles and Tenant are those of the caller.
	Subject string   `yaml:"subject"`
	Scopes  []string `yaml:"scopes,omitempty,flow"`
	Roles   []string `yaml:"roles,omitempty,flow"`
	Tenant  string   `yaml:"tenant,omitempty"`
	// Expires is when it ends. Zero: never.
	Expires time.Time `yaml:"expires,omitempty"`
	// Description is for people.
	Description string `yaml:"description,omitempty"`
}

// entry is an Entry as Lookup needs it.
type entry struct {
	sum       [sha256.Size]byte
	principal reqinfo.Principal
	expires   time.Time
}

// errIncomplete means that a file may not have been written to its end.
var errIncomplete = errors.New("does not end with a line end; it may be half-written")

// parseFile parses a file of keys that must be complete: if there are no keys it must say so ("keys: []"), and it must end with a
// line end or a bracket. Otherwise a part of a file could count as one with fewer keys, or with incomplete ones.
func parseFile(text []byte) (map[string]entry, error) {
	if !strings.ContainsRune("\n]}", rune(text[len(text)-1])) {
		return nil, fmt.Errorf("not a file of API keys: %w", errIncomplete)
	}

	entries, err := parse(text)
	if err != nil || len(entries) > 0 {
		return entries, err
	}

	var file struct {
		Keys *[]Entry `yaml:"keys"`
	}

	if err := yaml.Unmarshal(text, &file); err != nil || file.Keys == nil {
		return nil, errors.New(`not a file of API keys: it has no list of keys; "keys: []" says that there are none`)
	}

	return entries, nil
}

// parse parses a file of keys. The error names every fault.
func parse(text []byte) (map[string]entry, error) {
	var file struct {
		Keys []Entry `yaml:"keys"`
	}

	if err := yamldoc.Decode(text, &file, true); err != nil {
		return nil, fmt.Errorf("not a file of API keys: %w", err)
	}

	entries := make(map[string]entry, len(file.Keys))

	var faults []error

	for i, in := range file.Keys {
		out, err := in.compile()
		if _, twice := entries[in.ID]; twice {
			err = errors.Join(err, errors.New("id: is used more than once"))
		}

		if err != nil {
			faults = append(faults, fmt.Errorf("keys[%d] (%.20q): %w", i, in.ID, err))
		}

		entries[in.ID] = out
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	return entries, nil
}

// Check returns everything that is wrong with the entry.
func (e Entry) Check() error {
	_, err := e.compile()
	return err
}

func (e Entry) compile() (entry, error) {
	out := entry{
		expires:   e.Expires,
		principal: reqinfo.Principal{Subject: e.Subject, Scopes: e.Scopes, Roles: e.Roles, Tenant: e.Tenant},
	}

	var faults []error

	if !isID(e.ID) {
		faults = append(faults, fmt.Errorf("id: not %d characters of base32", idLen))
	}

	sum, err := hex.DecodeString(e.SHA256)
	if err != nil || len(sum) != sha256.Size {
		faults = append(faults, errors.New("sha256: not 64 hexadecimal digits"))
	}

	copy(out.sum[:], sum)

	if out.sum == [sha256.Size]byte{} {
		faults = append(faults, errors.New("sha256: is zero"))
	}

	return out, errors.Join(append(faults, out.principal.Check())...)
}
