package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

var errNoAlgorithm = errors.New("no key is for an algorithm of the issuer")

// CheckConfig finds all that New refuses, and key sets in files that are of no use. It reads the files, and fetches nothing. The
// error joins a *config.Fault for each.
func CheckConfig(cfg config.Auth) error {
	var faults []error

	add := func(err error, format string, args ...any) {
		// It has the name of the file.
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = path
		}

		if err != nil {
			faults = append(faults, &config.Fault{Path: fmt.Sprintf(format, args...), Err: err})
		}
	}

	for i, c := range cfg.Certificates {
		principal := reqinfo.Principal{Subject: c.Subject, Scopes: c.Scopes, Roles: c.Roles, Tenant: c.Tenant}
		if c.Subject != "" {
			add(principal.Check(), "auth.certificates[%d]", i)
		}
	}

	if cfg.APIKeys.File != "" {
		_, err := apikey.Open(cfg.APIKeys.File)
		add(err, "auth.api_keys.file")
	}

	for i, issuer := range cfg.Issuers {
		if !reqinfo.Plain(issuer.SubjectPrefix + "x") {
			add(errPrefix, "auth.issuers[%d].subject_prefix", i)
		}

		setting, err := checkIssuer(issuer)
		add(err, "auth.issuers[%d].%s", i, setting)
	}

	return errors.Join(faults...)
}

// checkIssuer checks where the keys of an issuer come from, and those in a file.
func checkIssuer(cfg config.Issuer) (setting string, err error) {
	setting = "issuer"

	switch {
	case cfg.JWKSFile != "":
		setting = "jwks_file"
	case cfg.JWKSURL != "":
		setting = "jwks_url"
	case !strings.Contains(cfg.Issuer, "://"):
		return setting, nil // Package config says so.
	}

	keys, err := openKeys(cfg, filewatch.Config{Logger: slog.New(slog.DiscardHandler)})
	if err == nil && cfg.JWKSFile != "" {
		err = keys.current().usable(cfg.Algorithms)
	}

	return setting, err
}

// usable reports by its error that no key is for any of the algorithms.
func (s keySet) usable(algorithms []string) error {
	found := s.algorithms()
	if slices.ContainsFunc(found, func(alg string) bool { return slices.Contains(algorithms, alg) }) {
		return nil
	}

	return fmt.Errorf("%w: they are for %s, it signs with %s", errNoAlgorithm,
		strings.Join(found, ", "), strings.Join(algorithms, ", "))
}

// CheckOnline fetches the keys of an issuer that are at a URL once, and says which algorithms they are for. The setting is the one
// that leads to them.
func CheckOnline(ctx context.Context, cfg config.Issuer) (setting, text string, err error) {
	setting = "issuer"
	if cfg.JWKSURL != "" {
		setting = "jwks_url"
	}

	source, err := openKeys(cfg, filewatch.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return setting, "", err
	}

	keys, _, err := source.fetch(ctx)
	if err != nil {
		return setting, "", err
	}

	if err := keys.usable(cfg.Algorithms); err != nil {
		return setting, "", err
	}

	return setting, "has keys for " + strings.Join(keys.algorithms(), ", "), nil
}

// algorithms are those that the keys are for, each once.
func (s keySet) algorithms() []string {
	found := make([]string, 0, len(s))
	for _, key := range s {
		found = append(found, key.algs...)
	}

	slices.Sort(found)

	return slices.Compact(found)
}
