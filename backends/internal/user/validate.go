package user

import (
	"net/mail"
	"regexp"
	"strings"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/validate"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

const (
	maxEmail       = 254 // RFC 5321, section 4.5.3.1.3, without the brackets.
	maxDisplayName = 100
)

// e164 is a plus sign and up to 15 digits, the first not 0 (ITU-T E.164).
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// changeable are the paths that UpdateUser accepts.
func changeable() []string {
	return []string{"email", "display_name", "phone", "labels"}
}

func checkID(v *fault.Violations, id string) {
	validate.ID(v, "user_id", id)
}

// check looks at everything that clients can set. The prefix is where the user is within the request ("user.").
func check(v *fault.Violations, prefix string, u *userv1.User) {
	if !validEmail(u.GetEmail()) {
		v.Addf(prefix+"email", "must be an e-mail address")
	}

	validate.Required(v, prefix+"display_name", u.GetDisplayName(), maxDisplayName)

	if u.Phone != nil && !e164.MatchString(u.GetPhone()) {
		v.Addf(prefix+"phone", "must be in E.164 form, like +4915112345678")
	}

	validate.Pairs(v, prefix+"labels", u.GetLabels())
}

// validEmail wants a bare address with a dot in its domain.
func validEmail(text string) bool {
	if len(text) > maxEmail {
		return false
	}

	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text {
		return false
	}

	_, domain, _ := strings.Cut(text, "@")

	return strings.Contains(strings.Trim(domain, "."), ".")
}
