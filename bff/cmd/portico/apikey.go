package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
)

func apikeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "apikey",
		Short:   "Make API keys for machine clients",
		Example: "  portico apikey new --file keys.yaml --subject svc-warehouse",
	}
	cmd.AddCommand(apikeyNewCommand())

	return group(cmd)
}

// newKeyFlags are the flags of `apikey new`.
type newKeyFlags struct {
	entry apikey.Entry
	life  time.Duration
	file  string
	out   *output
}

func apikeyNewCommand() *cobra.Command {
	var f newKeyFlags

	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make an API key, print it once, and add its hash to a file",
		Long: `Make an API key, print it on standard output, and add its hash to the file that auth.api_keys.file names.
The key itself is not stored: if it is lost, make another one.

Without --file, the entry for the file is printed on standard error.`,
		Example: `  portico apikey new --file keys.yaml --subject svc-warehouse --scope orders:read --expires-in 2160h`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.out = addOutput(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.entry.Subject, "subject", "", "the subject of callers with the key, for example svc-warehouse")
	flags.StringSliceVar(&f.entry.Scopes, "scope", nil, "a scope to grant; may be repeated")
	flags.StringSliceVar(&f.entry.Roles, "role", nil, "a role to grant; may be repeated")
	flags.StringVar(&f.entry.Tenant, "tenant", "", "the tenant that the caller belongs to")
	flags.DurationVar(&f.life, "expires-in", 0, "how long it is valid, for example 2160h; 0: until it is removed")
	flags.StringVar(&f.entry.Description, "description", "", "for people")
	flags.StringVar(&f.file, "file", "", "the YAML file to add it to; created if it does not exist")

	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	_ = cmd.MarkFlagRequired("subject") // They exist, some lines above.

	return cmd
}

func (f newKeyFlags) run(cmd *cobra.Command) error {
	if f.life < 0 {
		return usagef("--expires-in: must not be negative")
	}

	if f.life > 0 {
		f.entry.Expires = time.Now().Add(f.life).UTC().Truncate(time.Second)
	}

	var key string

	key, f.entry.ID = apikey.New()
	f.entry.SHA256 = apikey.Hash(key)

	if err := f.entry.Check(); err != nil {
		return usageError{err}
	}

	if err := f.store(cmd); err != nil {
		return err
	}

	if err := f.show(cmd, key); err != nil {
		return fmt.Errorf("the key is lost, remove id %s: %w", f.entry.ID, err)
	}

	return nil
}

// newKey is the JSON form of a key.
type newKey struct {
	Key     string     `json:"key"`
	ID      string     `json:"id"`
	Subject string     `json:"subject"`
	Expires *time.Time `json:"expires,omitempty"`
}

func (f newKeyFlags) show(cmd *cobra.Command, key string) error {
	shown := newKey{Key: key, ID: f.entry.ID, Subject: f.entry.Subject}
	if !f.entry.Expires.IsZero() {
		shown.Expires = &f.entry.Expires
	}

	return f.out.write(cmd, shown, func() error { return printLines(cmd.OutOrStdout(), key) })
}

// store adds the entry to the file or, without one, prints it.
func (f newKeyFlags) store(cmd *cobra.Command) error {
	if f.file != "" {
		return apikey.Add(f.file, f.entry)
	}

	text, err := f.entry.Marshal()
	if err != nil {
		return err
	}

	return printLines(cmd.ErrOrStderr(), strings.TrimSuffix(string(text), "\n"))
}
