package mock

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// texts are what strings are, by the end of the field's name.
func texts() map[string]func(a about) string {
	all := personTexts()
	for _, more := range []map[string]func(a about) string{placeTexts(), webTexts(), shopTexts(), proseTexts()} {
		maps.Copy(all, more)
	}

	return all
}

func personTexts() map[string]func(a about) string {
	full := func(a about) string { return a.person.first + " " + a.person.last }
	handle := func(a about) string {
		return strings.ToLower(letters(a.person.first)) + strconv.Itoa(a.seed.rand().IntN(90)+10)
	}

	return map[string]func(a about) string{
		"author":        full,
		"display_name":  full,
		emailWord:       func(a about) string { return a.person.address() },
		"email_address": func(a about) string { return a.person.address() },
		"family_name":   func(a about) string { return a.person.last },
		"first_name":    func(a about) string { return a.person.first },
		"full_name":     full,
		"gender":        func(a about) string { return a.seed.faker().Gender() },
		"given_name":    func(a about) string { return a.person.first },
		"handle":        handle,
		"hobby":         func(a about) string { return a.seed.faker().Hobby() },
		"initials":      func(a about) string { return a.person.first[:1] + a.person.last[:1] },
		"interest":      func(a about) string { return strings.ToLower(a.seed.faker().Hobby()) },
		"job_title":     func(a about) string { return a.seed.faker().JobTitle() },
		"last_name":     func(a about) string { return a.person.last },
		"login":         handle,
		"nickname":      handle,
		"phone":         phone,
		"phone_number":  phone,
		"recipient":     full,
		"role":          func(a about) string { return one(a.seed, []string{"viewer", "editor", "owner"}) },
		"surname":       func(a about) string { return a.person.last },
		"username":      handle,
		"user_name":     handle,
	}
}

// phone is an E.164 number of the place.
func phone(a about) string {
	const digits = 12

	number := a.place.dialling
	for random := a.seed.rand(); len(number) < digits; {
		number += strconv.Itoa(random.IntN(10))
	}

	return number
}

func placeTexts() map[string]func(a about) string {
	street := func(a about) string { return a.seed.faker().Street() }

	return map[string]func(a about) string{
		"address":       func(a about) string { return street(a) + ", " + a.place.postalCode + " " + a.place.city },
		"address_line":  street,
		"city":          func(a about) string { return a.place.city },
		"country":       func(a about) string { return a.place.country },
		"country_code":  func(a about) string { return a.place.countryCode },
		"language":      func(a about) string { return a.place.locale[:2] },
		"language_code": func(a about) string { return a.place.locale },
		"line":          street,
		"locale":        func(a about) string { return a.place.locale },
		"locality":      func(a about) string { return a.place.city },
		"location":      func(a about) string { return a.place.city + ", " + a.place.country },
		"postal_code":   func(a about) string { return a.place.postalCode },
		"region":        func(a about) string { return a.place.region },
		"region_code":   func(a about) string { return a.place.countryCode },
		"state":         func(a about) string { return a.place.region },
		"street":        street,
		"time_zone":     func(a about) string { return a.place.timeZone },
		"timezone":      func(a about) string { return a.place.timeZone },
		"town":          func(a about) string { return a.place.city },
		"zip":           func(a about) string { return a.place.postalCode },
		"zip_code":      func(a about) string { return a.place.postalCode },
	}
}

func webTexts() map[string]func(a about) string {
	slug := func(a about) string { return words(a, "-") }
	host := func(a about) string { return letters(a.seed.faker().NounConcrete()) + ".example.com" }
	page := func(a about) string { return "https://example.com/" + slug(a) }
	image := func(a about) string { return "https://example.com/images/" + slug(a) + ".png" }
	hex := func(a about) string { return fmt.Sprintf("%016x%016x", uint64(a.seed), uint64(a.seed.of("more"))) }

	return map[string]func(a about) string{
		"avatar":       image,
		"avatar_url":   image,
		"checksum":     hex,
		"content_type": func(a about) string { return one(a.seed, []string{pngType, "image/jpeg", "application/pdf"}) },
		"domain":       host,
		"etag":         func(a about) string { return fmt.Sprintf("%q", fmt.Sprintf("%016x", uint64(a.seed))) },
		"file_name":    func(a about) string { return slug(a) + ".pdf" },
		"filename":     func(a about) string { return slug(a) + ".pdf" },
		"hash":         hex,
		"homepage":     page,
		"host":         host,
		"hostname":     host,
		"href":         page,
		"image":        image,
		"image_url":    image,
		"ip":           documentationAddress,
		"ip_address":   documentationAddress,
		"link":         page,
		"mime_type":    func(a about) string { return one(a.seed, []string{pngType, "image/jpeg", "application/pdf"}) },
		"path":         func(a about) string { return "/" + words(a, "/") },
		"photo_url":    image,
		"sha256":       func(a about) string { return hex(a) + hex(about{seed: a.seed.of("rest")}) },
		"slug":         slug,
		"token":        hex,
		"uri":          page,
		"url":          page,
		"user_agent":   func(a about) string { return a.seed.faker().UserAgent() },
		uuidWord:       func(a about) string { return a.seed.faker().UUID() },
		"website":      page,
	}
}

// documentationAddress is one of 203.0.113.0/24, which is nobody's (RFC 5737).
func documentationAddress(a about) string {
	return "203.0.113." + strconv.Itoa(a.seed.rand().IntN(254)+1)
}

func shopTexts() map[string]func(a about) string {
	brand := func(a about) string { return capital(letters(a.seed.faker().NounConcrete())) + " & Co" }

	return map[string]func(a about) string{
		"brand":         brand,
		"carrier":       func(a about) string { return one(a.seed, []string{"DHL", "UPS", "DPD", "GLS"}) },
		"category":      func(a about) string { return a.seed.faker().ProductCategory() },
		"color":         func(a about) string { return a.seed.faker().SafeColor() },
		"colour":        func(a about) string { return a.seed.faker().SafeColor() },
		"company":       brand,
		"coupon":        func(a about) string { return strings.ToUpper(letters(a.seed.faker().NounConcrete())) + "10" },
		"currency":      func(a about) string { return a.currency },
		"currency_code": func(a about) string { return a.currency },
		"isbn":          func(a about) string { return a.seed.faker().ProductISBN(nil) },
		"material":      func(a about) string { return a.seed.faker().ProductMaterial() },
		"organization":  brand,
		"product":       func(a about) string { return a.seed.faker().ProductName() },
		"product_name":  func(a about) string { return a.seed.faker().ProductName() },
		"sku":           sku,
		"supplier":      brand,
		"unit":          func(a about) string { return one(a.seed, []string{"piece", "kg", "m", "l"}) },
		"vendor":        brand,
	}
}

func sku(a about) string {
	const firstNumber, numbers = 1000, 9000

	word := strings.ToUpper(abbreviation(strings.ToLower(letters(a.seed.faker().NounConcrete()))))

	return word + "-" + strconv.Itoa(a.seed.rand().IntN(numbers)+firstNumber)
}

func proseTexts() map[string]func(a about) string {
	sentence := func(a about) string { return a.seed.faker().Sentence() }
	two := func(a about) string { return sentence(a) + " " + a.seed.of("second").faker().Sentence() }
	short := func(a about) string { return words(a, "-") }

	return map[string]func(a about) string{
		"about":       two,
		"bio":         func(a about) string { return a.seed.faker().JobTitle() + " in " + a.place.city + ". " + sentence(a) },
		"body":        two,
		"code":        func(a about) string { return strings.ToUpper(words(a, "-")) },
		"comment":     sentence,
		"content":     two,
		"description": two,
		"details":     two,
		"headline":    heading,
		"key":         short,
		"label":       short,
		"message":     sentence,
		nameField:     name,
		"note":        sentence,
		"reason":      sentence,
		"remark":      sentence,
		"subject":     heading,
		"summary":     sentence,
		"tag":         func(a about) string { return strings.ToLower(letters(a.seed.faker().NounConcrete())) },
		"text":        two,
		"title":       heading,
		"version":     func(a about) string { return a.seed.faker().AppVersion() },
	}
}

// name goes by the message that has it.
func name(a about) string {
	if a.of == nil {
		return capital(words(a, " "))
	}

	switch of := snake(a.of.Name()); {
	case endsIn(of, "user", "person", "customer", "contact", "author", "employee", "member", "owner", "account", "recipient"):
		return a.person.first + " " + a.person.last
	case endsIn(of, "company", "organization", "vendor", "supplier", "brand", "store", "shop"):
		return shopTexts()["company"](a)
	case endsIn(of, "item", "product", "article"):
		return a.seed.faker().ProductName()
	case endsIn(of, "file", "attachment", "document"):
		return words(a, "-") + ".pdf"
	default:
		return capital(words(a, " "))
	}
}

// heading is a product's where the message is one, otherwise a few words.
func heading(a about) string {
	if a.of != nil && endsIn(snake(a.of.Name()), "item", "product", "article") {
		return a.seed.faker().ProductName()
	}

	return strings.TrimRight(a.seed.faker().Sentence(), ".!?")
}

func endsIn(name string, words ...string) bool {
	for _, word := range words {
		if name == word || strings.HasSuffix(name, "_"+word) {
			return true
		}
	}

	return false
}

// words are two of them.
func words(a about, between string) string {
	return strings.ToLower(letters(a.seed.faker().AdjectiveDescriptive())) + between +
		strings.ToLower(letters(a.seed.of("noun").faker().NounConcrete()))
}
