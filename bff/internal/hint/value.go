package hint

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// ValueError is the error for a text, of a flag, an environment variable or a file, that is not a value of the type: `"4" is not a
// duration, such as 500ms, 4s or 1h30m; write 4s for seconds`.
func ValueError(t reflect.Type, text string) error {
	return fmt.Errorf("%q is not %s%s", text, TypeName(t), hint(t, text))
}

// TypeName is what the values of a type are called, with an example where the form is not obvious.
func TypeName(t reflect.Type) string {
	switch {
	case isDuration(t):
		return "a duration, such as 500ms, 4s or 1h30m"
	case isInt(t):
		return "a whole number"
	case isUint(t):
		return "a whole number of at least 0"
	}

	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping of names to values"
	default:
		return "a text"
	}
}

// IsValue reports whether a text is a value of the type, which is a basic one or time.Duration.
func IsValue(t reflect.Type, text string) bool {
	var err error

	switch {
	case isDuration(t):
		if _, isNumber := wholeNumber(text); isNumber { // Go takes a 0 without a unit.
			return false
		}

		_, err = time.ParseDuration(text)
	case isInt(t):
		_, err = strconv.ParseInt(text, 10, t.Bits())
	case isUint(t):
		_, err = strconv.ParseUint(text, 10, t.Bits())
	case t.Kind() == reflect.Bool:
		_, err = strconv.ParseBool(text)
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		_, err = strconv.ParseFloat(text, t.Bits())
	}

	return err == nil
}

// hint says what was probably meant, as the end of a sentence. May be empty.
func hint(t reflect.Type, text string) string {
	switch number, isNumber := wholeNumber(text); {
	case isDuration(t) && isNumber:
		return "; write " + number + "s for seconds"
	case isDuration(t) && strings.HasSuffix(text, "d"):
		return "; a day is 24h"
	case isNumber && !IsValue(t, text) && (isInt(t) || isUint(t) && !strings.HasPrefix(text, "-")):
		return " in range"
	default:
		return ""
	}
}

// wholeNumber returns a text of digits, with a sign or without, as it is.
func wholeNumber(text string) (string, bool) {
	digits := strings.TrimLeft(text, "+-")

	return text, digits != "" && strings.Trim(digits, "0123456789") == ""
}

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

func isInt(t reflect.Type) bool  { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64 }
func isUint(t reflect.Type) bool { return t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 }
