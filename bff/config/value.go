package config

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// store stores a text of an environment variable or a default into a setting. Lists are separated by commas.
func store(setting reflect.Value, text string) error {
	t := setting.Type()

	// A list has elements of text.
	if t.Kind() == reflect.Slice {
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}

		setting.Set(reflect.ValueOf(list))

		return nil
	}

	if t.Kind() == reflect.Map {
		return storeTexts(setting, text)
	}

	if !hint.IsValue(t, text) {
		return hint.ValueError(t, text)
	}

	// It is a value, so none of these fails.
	switch kind := t.Kind(); {
	case t == reflect.TypeFor[time.Duration]():
		duration, _ := time.ParseDuration(text)
		setting.SetInt(int64(duration))
	case kind == reflect.Bool:
		truth, _ := strconv.ParseBool(text)
		setting.SetBool(truth)
	case setting.CanInt():
		number, _ := strconv.ParseInt(text, 10, t.Bits())
		setting.SetInt(number)
	case setting.CanUint():
		number, _ := strconv.ParseUint(text, 10, t.Bits())
		setting.SetUint(number)
	case setting.CanFloat():
		number, _ := strconv.ParseFloat(text, t.Bits())
		setting.SetFloat(number)
	default:
		setting.SetString(text)
	}

	return nil
}

// storeTexts sets a mapping of names to texts.
func storeTexts(setting reflect.Value, text string) error {
	texts, err := parseTexts(text)
	if err != nil {
		return err
	}

	setting.Set(reflect.ValueOf(texts))

	return nil
}

// parseTexts reads names and texts as OpenTelemetry's variables have them: a=b,c=d. The error does not repeat the text.
func parseTexts(text string) (map[string]string, error) {
	texts := map[string]string{}

	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, errors.New("must be names and values, such as a=b,c=d")
		}

		texts[name] = strings.TrimSpace(value)
	}

	return texts, nil
}
