package openapi

import "testing"

// JSON Schema takes other patterns than RE2 does: what it does not take is said in words.
func TestPatterns(t *testing.T) {
	t.Parallel()

	for pattern, want := range map[string]string{
		`^[a-z]{3,}$`:   `^[a-z]{3,}$`,
		`^[\w-.]+$`:     `^[\w\-.]+$`,
		`^[\w.-]+$`:     `^[\w.-]+$`,
		`^a\-b\_c\@d$`:  `^a-b_c@d$`,
		`^[a\-z\_]$`:    `^[a\-z_]$`,
		`^[]a]$`:        `^[\]a]$`,
		`^[^]a]$`:       `^[^\]a]$`,
		`^a{b}]$`:       `^a\{b\}\]$`,
		`^a{,5}$`:       `^a\{,5\}$`,
		`\Aa\z`:         `^a$`,
		`^(?:a|b)(c)?$`: `^(?:a|b)(c)?$`,
		`^\x41\.\/é$`:   `^\x41\.\/é$`,
		`\bа\B`:         `\bа\B`,
		`^[[]$`:         `^[[]$`,
		`(?i)a`:         "",
		`(?P<name>a)`:   "",
		`(?s:a)`:        "",
		`[[:alpha:]]`:   "",
		`\pL`:           "",
		`\p{Greek}`:     "",
		`\x{10FFFF}`:    "",
		`\Qa.b\E`:       "",
		`\141`:          "",
		`^*a`:           "",
		`\b{2}a`:        "",
		`[`:             "",
		`(`:             "",
		"":              "",
	} {
		if got, ok := ecmaPattern(pattern); got != want || ok != (want != "" || pattern == "") {
			t.Errorf("%s is %s, %v; want %s", pattern, got, ok, want)
		}
	}
}
