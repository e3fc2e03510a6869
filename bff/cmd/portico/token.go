package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/auth/devissuer"
)

const defaultTokenLife = 12 * time.Hour

func tokenCommand() *cobra.Command {
	var (
		subject string
		scopes  []string
		ttl     time.Duration
		dataDir string
	)

	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a token of the development issuer",
		Long: `Print a token of the development issuer, and nothing else.

Only "portico dev" with the same data directory accepts it. Scopes that the demo services know:
users:admin, orders:admin, payments:admin, notifications:admin.`,
		Example: `  portico token --subject alice
  portico token --subject admin --scope users:admin --scope orders:admin
  curl -H "Authorization: Bearer $(portico token --subject alice)" http://127.0.0.1:8080/v1/me/dashboard`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if subject == "" {
				return errors.New("--subject must not be empty")
			}

			issuer, err := devissuer.Open(dataDir)
			if err != nil {
				return err
			}

			token, err := issuer.Token(subject, scopes, ttl, time.Now())
			if err != nil {
				return err
			}

			if _, err := fmt.Fprintln(cmd.OutOrStdout(), token); err != nil {
				return fmt.Errorf("print: %w", err)
			}

			return nil
		},
	}
	cmd.Flags().StringVar(&subject, "subject", "", "whom the token is for, for example alice")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "a scope to grant; may be repeated")
	cmd.Flags().DurationVar(&ttl, "ttl", defaultTokenLife, "how long it is valid")
	cmd.Flags().StringVar(&dataDir, "data-dir", defaultDataDir(), dataDirUsage)
	_ = cmd.MarkFlagRequired("subject") // It exists, two lines above.

	return cmd
}
