package config_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

func TestAdminCredential(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		admin config.Admin
		want  string
	}{
		"none":             {config.Admin{}, ""},
		"shortest":         {config.Admin{Credential: "0123456789abcdef"}, ""},
		"file":             {config.Admin{CredentialFile: "credential"}, ""},
		"too_short":        {config.Admin{Credential: "0123456789abcde"}, "admin.credential: has fewer than 16 characters"},
		"space_at_the_end": {config.Admin{Credential: "0123456789abcdef "}, "admin.credential: must be printable ASCII"},
		"not_ascii":        {config.Admin{Credential: "0123456789äbcdef"}, "admin.credential: must be printable ASCII"},
		"both":             {config.Admin{Credential: "0123456789abcdef", CredentialFile: "f"}, "admin.credential_file: does not go with credential"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := config.Config{Admin: tt.admin, Auth: config.Auth{Disabled: true}}
			err := c.WithDefaults().Validate()

			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			case err != nil && tt.admin.Credential != "" && strings.Contains(err.Error(), tt.admin.Credential):
				t.Errorf("it shows the credential: %v", err)
			}
		})
	}
}
