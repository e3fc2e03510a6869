package main

import (
	"fmt"
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

func apikeyNewCommand() *cobra.Command {
	var (
		entry apikey.Entry
		life  time.Duration
		file  string
		out   *output
	)

	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make an API key, print it once, and add its hash to a file",
		Long: `Make an API key, print it on standard output, and add its hash to the file that auth.api_keys.file names.
The key itself is kept nowhere: what is not noted now is lost.

Without --file, what belongs in the file is printed on standard error.`,
		Example: `  portico apikey new --file keys.yaml --subject svc-warehouse --scope orders:read --expires-in 2160h`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if life < 0 {
				return usagef("--expires-in: must not be negative")
			}

			if life > 0 {
				entry.Expires = time.Now().Add(life).UTC().Truncate(time.Second)
			}

			var key string

			key, entry.ID = apikey.New()
			entry.SHA256 = apikey.Hash(key)

			if err := entry.Check(); err != nil {
				return usageError{err}
			}

			if err := keep(cmd, file, entry); err != nil {
				return err
			}

			if err := printKey(cmd, key, entry, out); err != nil {
				return fmt.Errorf("the key is lost, remove id %s: %w", entry.ID, err)
			}

			return nil
		},
	}
	out = addOutput(cmd)
	flags := cmd.Flags()
	flags.StringVar(&entry.Subject, "subject", "", "whom the key stands for, for example svc-warehouse")
	flags.StringSliceVar(&entry.Scopes, "scope", nil, "a scope to grant; may be repeated")
	flags.StringSliceVar(&entry.Roles, "role", nil, "a role to grant; may be repeated")
	flags.StringVar(&entry.Tenant, "tenant", "", "the tenant that the caller belongs to")
	flags.DurationVar(&life, "expires-in", 0, "how long it is valid, for example 2160h; 0: until it is removed")
	flags.StringVar(&entry.Description, "description", "", "for people")
	flags.StringVar(&file, "file", "", "the YAML file to add it to; made if there is none")

	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	_ = cmd.MarkFlagRequired("subject") // They exist, some lines above.

	return cmd
}

// newKey is a key as JSON: what its client needs, and what tells it from others.
type newKey struct {
	Key     string     `json:"key"`
	ID      string     `json:"id"`
	Subject string     `json:"subject"`
	Expires *time.Time `json:"expires,omitempty"`
}

func printKey(cmd *cobra.Command, key string, entry apikey.Entry, out *output) error {
	if !out.json {
		return printLines(cmd.OutOrStdout(), key)
	}

	shown := newKey{Key: key, ID: entry.ID, Subject: entry.Subject}
	if !entry.Expires.IsZero() {
		shown.Expires = &entry.Expires
	}

	return printJSON(cmd.OutOrStdout(), shown)
}

// keep adds the entry to the file or, without one, shows it.
func keep(cmd *cobra.Command, file string, entry apikey.Entry) error {
	if file != "" {
		return apikey.Add(file, entry)
	}

	text, err := entry.Marshal()
	if err != nil {
		return err
	}

	if _, err := cmd.ErrOrStderr().Write(text); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}
