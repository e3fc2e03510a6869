package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
)

func apikeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apikey",
		Short: "Make API keys for machine clients",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(apikeyNewCommand())

	return cmd
}

func apikeyNewCommand() *cobra.Command {
	var (
		entry apikey.Entry
		life  time.Duration
		file  string
	)

	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make an API key, print it once, and add its hash to a file",
		Long: `Make an API key, print it on standard output, and add its hash to the file that auth.api_keys.file names.
The key itself is kept nowhere: what is not noted now is lost.

Without --file, what belongs into the file is printed on standard error.`,
		Example: `  portico apikey new --file keys.yaml --subject svc-warehouse --scope orders:read --expires-in 2160h`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if life < 0 {
				return errors.New("--expires-in: must be positive")
			}

			if life > 0 {
				entry.Expires = time.Now().Add(life).UTC().Truncate(time.Second)
			}

			var key string

			key, entry.ID = apikey.New()
			entry.SHA256 = apikey.Hash(key)

			if err := keep(cmd, file, entry); err != nil {
				return err
			}

			if _, err := fmt.Fprintln(cmd.OutOrStdout(), key); err != nil {
				return fmt.Errorf("print: the key is lost, remove id %s: %w", entry.ID, err)
			}

			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&entry.Subject, "subject", "", "whom the key stands for, for example svc-warehouse")
	flags.StringSliceVar(&entry.Scopes, "scope", nil, "a scope to grant; may be repeated")
	flags.StringSliceVar(&entry.Roles, "role", nil, "a role to grant; may be repeated")
	flags.StringVar(&entry.Tenant, "tenant", "", "the tenant that the caller belongs to")
	flags.DurationVar(&life, "expires-in", 0, "how long it is valid, for example 2160h; 0: until it is removed")
	flags.StringVar(&entry.Description, "description", "", "for people")
	flags.StringVar(&file, "file", "", "the YAML file to add it to; made if there is none")

	_ = cmd.MarkFlagRequired("subject") // It exists, some lines above.

	return cmd
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
