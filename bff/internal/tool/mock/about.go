package mock

import (
	"encoding/base32"
	"regexp"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// about is what a string is to be about. Of one message, all strings are of one person and one place.
type about struct {
	seed seed
	// name is the field's; of an item of a list, in the singular.
	name string
	// of is the message that the field is in.
	of       protoreflect.MessageDescriptor
	person   person
	place    place
	currency string
}

// person is somebody that does not exist.
type person struct{ first, last string }

// plainName is an identifier that is a name, such as those of the demo data.
var plainName = regexp.MustCompile(`^[a-z]{3,12}$`)

// personOf is the same for the same seed. An identifier that is a name gives the first one.
func personOf(s seed, id string) person {
	f := s.of("person").faker()

	p := person{first: f.FirstName(), last: f.LastName()}
	if plainName.MatchString(id) {
		p.first = capital(id)
	}

	return p
}

// address is under a domain that nobody gets mail at (RFC 2606, section 3).
func (p person) address() string {
	return strings.ToLower(letters(p.first)+"."+letters(p.last)) + "@example.com"
}

// place is a city with what goes with it.
type place struct {
	city, region, postalCode, countryCode, country, timeZone, locale, dialling string
	latitude, longitude                                                        float64
}

func places() []place {
	return []place{
		{"Vienna", "Vienna", "1070", "AT", "Austria", "Europe/Vienna", "de-AT", "+43660", 48.2, 16.35},
		{"Hamburg", "Hamburg", "20095", "DE", "Germany", "Europe/Berlin", "de-DE", "+49151", 53.55, 9.99},
		{"Lyon", "Auvergne-Rhône-Alpes", "69002", "FR", "France", "Europe/Paris", "fr-FR", "+33612", 45.75, 4.83},
		{"Porto", "Porto", "4050-014", "PT", "Portugal", "Europe/Lisbon", "pt-PT", "+35191", 41.15, -8.61},
		{"Seville", "Andalusia", "41001", "ES", "Spain", "Europe/Madrid", "es-ES", "+34612", 37.39, -5.99},
		{"Bologna", "Emilia-Romagna", "40121", "IT", "Italy", "Europe/Rome", "it-IT", "+39331", 44.49, 11.34},
		{"Utrecht", "Utrecht", "3511 LN", "NL", "Netherlands", "Europe/Amsterdam", "nl-NL", "+31612", 52.09, 5.12},
		{"Bristol", "England", "BS1 4DJ", "GB", "United Kingdom", "Europe/London", "en-GB", "+447911", 51.45, -2.59},
		{"Portland", "Oregon", "97205", "US", "United States", "America/Los_Angeles", "en-US", "+1503555", 45.52, -122.68},
		{"Montréal", "Quebec", "H2X 1Y4", "CA", "Canada", "America/Toronto", "fr-CA", "+1514555", 45.5, -73.57},
		{"Kyoto", "Kyoto", "604-8001", "JP", "Japan", "Asia/Tokyo", "ja-JP", "+8190", 35.01, 135.77},
		{"Melbourne", "Victoria", "3000", "AU", "Australia", "Australia/Melbourne", "en-AU", "+61412", -37.81, 144.96},
	}
}

func currencies() []string { return []string{euro, euro, euro, "USD", "GBP", "CHF"} }

// idBytes make sixteen characters.
const idBytes = 10

// identifier is like "ord_4c1vq0k8m2t7d9sa": three letters of what it names, and what nobody guesses.
func identifier(of string, s seed) string {
	random, raw := s.rand(), make([]byte, idBytes)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}

	return abbreviation(of) + "_" + strings.ToLower(base32.HexEncoding.EncodeToString(raw))
}

// abbreviation leaves out the vowels: "user" is "usr", "order" is "ord".
func abbreviation(of string) string {
	const length = 3

	short := ""

	for i, r := range of {
		if r != '_' && (i == 0 || len(of) <= length || !strings.ContainsRune("aeiou", r)) && len(short) < length {
			short += string(r)
		}
	}

	return short
}

// snake is the name of a message as that of a field: "LineItem" is "line_item".
func snake(name protoreflect.Name) string {
	var b strings.Builder

	for i, r := range string(name) {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}

		b.WriteRune(unicode.ToLower(r))
	}

	return b.String()
}

// singular of a field's name that is a plural.
func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies"):
		return strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "sses"), strings.HasSuffix(name, "xes"):
		return strings.TrimSuffix(name, "es")
	case strings.HasSuffix(name, "ss"):
		return name
	default:
		return strings.TrimSuffix(name, "s")
	}
}

// capital makes the first letter one.
func capital(text string) string {
	for i, r := range text {
		return string(unicode.ToUpper(r)) + text[i+len(string(r)):]
	}

	return text
}

// letters leaves out what is none.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && unicode.IsLetter(r) {
			return r
		}

		return -1
	}, text)
}
