package bff

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
)

// optionFaults are what is wrong with options, for New.
type optionFaults struct{ list []error }

func (f *optionFaults) addf(format string, args ...any) {
	f.list = append(f.list, fmt.Errorf(format, args...))
}

// add adds an error, unless it is nil.
func (f *optionFaults) add(err error) {
	if err != nil {
		f.list = append(f.list, err)
	}
}

// join returns them as one error; nil if there is none.
func (f *optionFaults) join() error { return errors.Join(f.list...) }

// need refuses an argument of an option that is nil.
func (f *optionFaults) need(option, what string, argument any) {
	v := reflect.ValueOf(argument)

	switch v.Kind() {
	case reflect.Invalid:
		f.addf("%s: %s is nil", option, what)
	case reflect.Func, reflect.Pointer, reflect.Interface, reflect.Map:
		if v.IsNil() {
			f.addf("%s: %s is nil", option, what)
		}
	default:
	}
}

// needEach refuses middleware of an option that is nil. Before is how many the option has had.
func (f *optionFaults) needEach(option string, before int, middleware []func(http.Handler) http.Handler) {
	for i, m := range middleware {
		f.need(option, "middleware "+strconv.Itoa(before+i+1), m)
	}
}

// once refuses an option that replaces an earlier one, which would have no effect then.
func (f *optionFaults) once(option string, first bool) {
	if !first {
		f.addf("%s: is given more than once", option)
	}
}
