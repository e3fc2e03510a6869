package openidtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Visit is what happened after an address was opened.
type Visit struct {
	Steps []Step
	// Next is the address before which the visit was ended. Nil if it was not.
	Next *url.URL
}

// Last is the last step.
func (v Visit) Last() Step { return v.Steps[len(v.Steps)-1] }

// Find returns the first step for which the condition holds.
func (v Visit) Find(tb testing.TB, what string, condition func(Step) bool) Step {
	tb.Helper()

	for _, step := range v.Steps {
		if condition(step) {
			return step
		}
	}

	tb.Fatalf("no step of the visit is %s: %s", what, v)

	return Step{}
}

func (v Visit) String() string {
	var lines strings.Builder
	for _, s := range v.Steps {
		fmt.Fprintf(&lines, "\n%s %s: %d", s.Request.Method, s.URL(), s.Status)
	}

	if len(v.Steps) > 0 {
		fmt.Fprintf(&lines, " %.1000s", v.Last().Body)
	}

	return lines.String()
}

// Before is a condition for Visit: it ends a visit before any address with this path.
func Before(path string) func(*url.URL) bool {
	return func(u *url.URL) bool { return u.Path == path }
}

// Open opens an address and logs in as the user wherever a page asks for it. It ends at a page without a form, or at anything that is no
// page, or, unless stop is nil, before an address for which stop is true.
func (b *Browser) Open(tb testing.TB, address, user string, stop func(*url.URL) bool) Visit {
	tb.Helper()

	return b.open(tb, nil, parse(tb, address), user, stop)
}

func (b *Browser) open(tb testing.TB, from, next *url.URL, user string, stop func(*url.URL) bool) Visit {
	tb.Helper()

	var (
		v      Visit
		method = http.MethodGet
		values url.Values
	)

	for len(v.Steps) < maxSteps {
		if stop != nil && stop(next) {
			v.Next = next

			return v
		}

		step := b.navigate(tb, from, next, method, values)
		v.Steps = append(v.Steps, step)
		from, method, values = step.URL(), http.MethodGet, nil

		if next = step.Location(); next != nil {
			continue
		}

		if !strings.HasPrefix(step.Header.Get("Content-Type"), "text/html") || step.Status != http.StatusOK {
			return v
		}

		f := findForm(step.Body, user)
		if f == nil {
			return v
		}

		action, err := step.URL().Parse(f.action)
		if err != nil {
			tb.Fatalf("%s: %v", step.URL(), err)
		}

		next, method, values = action, f.verb(), f.fill(user)
	}

	tb.Fatalf("the visit does not end: %s", v)

	return v
}

// Login logs in at a gateway, whose URL has no path. It ends before the address to which the gateway leads after it.
func (b *Browser) Login(tb testing.TB, gateway, returnTo, user string) Visit {
	tb.Helper()

	v := b.open(tb, nil, loginAddress(tb, gateway, returnTo), user, func(u *url.URL) bool {
		return origin(u) == gateway && u.Path != "/auth/login" && u.Path != "/auth/callback"
	})
	if v.Next == nil {
		tb.Fatalf("no login: %s", v)
	}

	return v
}

// Callback logs in at an issuer, and ends before the gateway learns of it. It returns the address of the callback.
func (b *Browser) Callback(tb testing.TB, gateway, returnTo, user string) string {
	tb.Helper()

	v := b.open(tb, nil, loginAddress(tb, gateway, returnTo), user, Before("/auth/callback"))
	if v.Next == nil {
		tb.Fatalf("no callback: %s", v)
	}

	return v.Next.String()
}

func loginAddress(tb testing.TB, gateway, returnTo string) *url.URL {
	tb.Helper()

	address := parse(tb, gateway+"/auth/login")
	if returnTo != "" {
		address.RawQuery = url.Values{"return_to": {returnTo}}.Encode()
	}

	return address
}
