package devprovider

import (
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// user is one who can log in.
type user struct {
	// name is the subject.
	name, fullName, email string
	// scopes are those of the API that the user may have.
	scopes []string
}

// users are those of the demo backends that the page of `portico dev` has as callers.
func users() []user {
	return []user{
		{name: "alice", fullName: "Alice Adler", email: "alice@example.com"},
		{name: "bob", fullName: "Bob Berger", email: "bob@example.com"},
		{name: "admin", fullName: "Ada Admin", email: "admin@example.com", scopes: []string{"users:admin", "orders:admin"}},
	}
}

func findUser(name string) (user, bool) {
	all := users()
	if i := slices.IndexFunc(all, func(u user) bool { return u.name == name }); i >= 0 {
		return all[i], true
	}

	return user{}, false
}

// standardScopes are those that every user may have.
func standardScopes() []string {
	return []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess}
}

// Scopes are those that a client may ask for. A user without one of them gets a token without it.
func Scopes() []string {
	all := standardScopes()
	for _, u := range users() {
		all = append(all, u.scopes...)
	}

	return all
}

// granted are the requested scopes that the user may have, each once.
func (u user) granted(requested []string) []string {
	var scopes []string

	for _, scope := range slices.Concat(standardScopes(), u.scopes) {
		if slices.Contains(requested, scope) {
			scopes = append(scopes, scope)
		}
	}

	return scopes
}

// info is what the scopes let a client know about the user (OpenID Connect Core, section 5.4).
func (u user) info(scopes []string) *oidc.UserInfo {
	info := &oidc.UserInfo{Subject: u.name}

	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = u.fullName, u.name
	}

	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = u.email, true
	}

	return info
}
