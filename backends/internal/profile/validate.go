package profile

import (
	"time"
	_ "time/tzdata" // Time zones are known wherever the program runs.

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/validate"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// changeable are the paths that UpdateProfile accepts.
func changeable() []string {
	return []string{
		"bio", "avatar_url", "locale", "time_zone", "interests", "preferences", "birth_year",
		"shipping_address", "shipping_address.lines", "shipping_address.postal_code",
		"shipping_address.city", "shipping_address.country_code",
	}
}

// check looks at a profile that is to be stored: at its rules, and at what takes a table of time zones and a clock.
func check(p *profilev1.Profile) error {
	if err := validate.Resource("profile", p); err != nil {
		return err
	}

	var v fault.Violations

	if !validTimeZone(p.GetTimeZone()) {
		v.Addf("profile.time_zone", "must be an IANA time zone, like Europe/Vienna")
	}

	if thisYear := time.Now().Year(); int(p.GetBirthYear()) > thisYear {
		v.Addf("profile.birth_year", "must be at most %d", thisYear)
	}

	return v.Err()
}

// validTimeZone allows none. "Local" is a name that only Go knows.
func validTimeZone(name string) bool {
	if name == "Local" {
		return false
	}

	_, err := time.LoadLocation(name)

	return err == nil
}
