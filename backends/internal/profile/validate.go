package profile

import (
	"fmt"
	"net/url"
	"regexp"
	"time"
	_ "time/tzdata" // Time zones are known wherever the program runs.

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/validate"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Bounds: texts in characters, lists in entries.
const (
	maxBio          = 2000
	maxURL          = 2048
	maxInterests    = 50
	maxInterest     = 64
	maxLines        = 5
	maxLine         = 200
	maxPostalCode   = 20
	maxCity         = 100
	oldestBirthYear = 1900
)

var (
	// languageTag has the form of BCP 47; whether the parts are registered is not looked up.
	languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}$`)
	countryCode = regexp.MustCompile(`^[A-Z]{2}$`)
)

// changeable are the paths that UpdateProfile accepts.
func changeable() []string {
	return []string{
		"bio", "avatar_url", "locale", "time_zone", "interests", "preferences", "birth_year",
		"shipping_address", "shipping_address.lines", "shipping_address.postal_code",
		"shipping_address.city", "shipping_address.country_code",
	}
}

// check looks at everything that clients can set. The prefix is where the profile is within the request.
func check(v *fault.Violations, prefix string, p *profilev1.Profile) {
	validate.Text(v, prefix+"bio", p.GetBio(), maxBio)

	if p.GetAvatarUrl() != "" && !validURL(p.GetAvatarUrl()) {
		v.Addf(prefix+"avatar_url", "must be an http or https URL of at most %d bytes", maxURL)
	}

	if p.GetLocale() != "" && !languageTag.MatchString(p.GetLocale()) {
		v.Addf(prefix+"locale", "must be a BCP 47 language tag, like de-AT")
	}

	if !validTimeZone(p.GetTimeZone()) {
		v.Addf(prefix+"time_zone", "must be an IANA time zone, like Europe/Vienna")
	}

	if p.GetShippingAddress() != nil {
		checkAddress(v, prefix+"shipping_address.", p.GetShippingAddress())
	}

	if len(p.GetInterests()) > maxInterests {
		v.Addf(prefix+"interests", "must have at most %d entries", maxInterests)
	} else {
		for i, interest := range p.GetInterests() {
			validate.Required(v, fmt.Sprintf("%sinterests[%d]", prefix, i), interest, maxInterest)
		}
	}

	validate.Pairs(v, prefix+"preferences", p.GetPreferences())

	thisYear := int32(time.Now().Year())
	if year := p.GetBirthYear(); p.BirthYear != nil && (year < oldestBirthYear || year > thisYear) {
		v.Addf(prefix+"birth_year", "must be %d to %d", oldestBirthYear, thisYear)
	}
}

// checkAddress lets an address be incomplete: a form may save it field by field.
func checkAddress(v *fault.Violations, prefix string, a *profilev1.Address) {
	if len(a.GetLines()) > maxLines {
		v.Addf(prefix+"lines", "must have at most %d entries", maxLines)
	} else {
		for i, line := range a.GetLines() {
			validate.Required(v, fmt.Sprintf("%slines[%d]", prefix, i), line, maxLine)
		}
	}

	validate.Text(v, prefix+"postal_code", a.GetPostalCode(), maxPostalCode)
	validate.Text(v, prefix+"city", a.GetCity(), maxCity)

	if a.GetCountryCode() != "" && !countryCode.MatchString(a.GetCountryCode()) {
		v.Addf(prefix+"country_code", "must be two upper-case letters (ISO 3166-1 alpha-2)")
	}
}

func validURL(text string) bool {
	u, err := url.Parse(text)

	return err == nil && len(text) <= maxURL && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// validTimeZone allows none. "Local" is a name that only Go knows.
func validTimeZone(name string) bool {
	if name == "Local" {
		return false
	}

	_, err := time.LoadLocation(name)

	return err == nil
}
