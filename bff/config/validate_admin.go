package config

import (
	"errors"
	"strings"
)

// minAdminCredential is how many characters the credential of operators has at least. It is the only protection of the actions, and
// 16 random ones take 10^20 guesses, at five bits each.
const minAdminCredential = 16

// Faults of a credential of operators. They must not say what it is.
var (
	errCredentialShort = errors.New("has fewer than 16 characters")
	errCredentialText  = errors.New("must be printable ASCII, without spaces at its ends")
)

// CheckAdminCredential returns why a text cannot be admin.credential or the content of admin.credential_file; nil: it can.
func CheckAdminCredential(credential string) error {
	outside := func(c rune) bool { return c < ' ' || c > '~' }

	switch {
	case strings.ContainsFunc(credential, outside) || strings.TrimSpace(credential) != credential:
		return errCredentialText
	case len(credential) < minAdminCredential:
		return errCredentialShort
	default:
		return nil
	}
}

func (v *validation) admin(a Admin) {
	v.check(a.Credential == "" || a.CredentialFile == "", "admin.credential_file", "does not go with credential")

	if a.Credential == "" {
		return
	}

	if err := CheckAdminCredential(a.Credential); err != nil {
		v.check(false, "admin.credential", err.Error())
	}
}
