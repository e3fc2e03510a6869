package main

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

const defaultTokenLife = 12 * time.Hour

// bearer is the JSON form of a token, as in RFC 6749, section 5.1.
type bearer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn int64 `json:"expires_in"`
}

func tokenCommand() *cobra.Command {
	var in tokenFlags

	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a token of the development issuer",
		Long: `Print a token of the development issuer, and nothing else.

It is signed with the key of the "portico dev" that you have running, wherever that was started. If several run, or
none, the key is that of the data directory, and only "portico dev" with the same one accepts the token. Scopes that
the demo services know: users:admin, orders:admin, payments:admin, notifications:admin.`,
		Example: `  portico token --subject alice
  portico token --subject admin --scope users:admin --scope orders:admin
  curl -H "Authorization: Bearer $(portico token --subject alice)" http://127.0.0.1:8080/v1/me/dashboard`,
		Args: noArgs,
	}
	in.out = addOutput(cmd)
	cmd.Flags().StringVar(&in.subject, "subject", "", "the subject of the token, for example alice")
	cmd.Flags().StringSliceVar(&in.scopes, "scope", nil, "a scope to grant; may be repeated")
	cmd.Flags().DurationVar(&in.ttl, "ttl", defaultTokenLife, "how long it is valid")
	cmd.Flags().StringVar(&in.dataDir, "data-dir", defaultDataDir(),
		"folder of the development issuer's key ("+dataDirVariable+"; default that of the gateway that runs, or .portico)")
	cmd.Flags().Lookup("data-dir").DefValue = "" // As said.
	_ = cmd.MarkFlagDirname("data-dir")
	_ = cmd.MarkFlagRequired("subject") // They exist, some lines above.

	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return printToken(cmd, in) }

	return cmd
}

// tokenFlags are the flags of `token`.
type tokenFlags struct {
	subject, dataDir string
	scopes           []string
	ttl              time.Duration
	out              *output
}

func printToken(cmd *cobra.Command, in tokenFlags) error {
	switch {
	case in.subject == "":
		return usagef("--subject must not be empty")
	case in.ttl < time.Second:
		return usagef("--ttl: must be at least 1s, not %s", in.ttl)
	}

	named := cmd.Flags().Changed("data-dir") || os.Getenv(dataDirVariable) != ""

	issuer, err := openKey(cmd.Context(), cmd.ErrOrStderr(), named, in.dataDir)
	if err != nil {
		return err
	}

	token, err := issuer.Token(in.subject, in.scopes, in.ttl, time.Now())
	if errors.Is(err, devissuer.ErrRequest) {
		return usageError{err}
	}

	if err != nil {
		return err
	}

	shown := bearer{AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(in.ttl.Seconds())}

	return in.out.write(cmd, shown, func() error { return printLines(cmd.OutOrStdout(), token) })
}
