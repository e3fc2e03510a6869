package openidtest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// Pages of logins: a form with fields, a button per user, a form per user, and one whose button is elsewhere.
const (
	fields = `<form action="/done" method="post"><input type="hidden" name="id" value="7">
<input name="login"><input type="password" name="password"><input type="checkbox" name="stay"><button name="do" value="login">Login</button></form>`
	buttonPerUser = `<form action="/done" method="POST"><input type="hidden" name="id" value="7">
<button name="login" value="bob">Bob</button><button name="login" value="alice">Alice</button></form>`
	formPerUser = `<form action="/done" method="post"><input type="hidden" name="login" value="bob"><input type="submit" value="bob"></form>
<form action="/done" method="post"><input type="hidden" name="id" value="7"><input type="hidden" name="login" value="alice"><button> Alice </button></form>`
	outside = `<form id="f" action="done"><input type="hidden" name="id" value="7"></form>
<button form="f" name="login" value="alice" type="submit">Continue</button><button form="f" type="button">Help</button>`
)

func TestForms(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ page, method, form string }{
		"fields":          {fields, http.MethodPost, "do=login&id=7&login=alice&password=password"},
		"button_per_user": {buttonPerUser, http.MethodPost, "id=7&login=alice"},
		"form_per_user":   {formPerUser, http.MethodPost, "id=7&login=alice"},
		"outside":         {outside, http.MethodGet, "id=7&login=alice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			mux := http.NewServeMux()
			mux.Handle("GET /{$}", http.RedirectHandler("/login", http.StatusSeeOther))
			mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "__Host-a", Value: "1", Path: "/", Secure: true})
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = w.Write([]byte(row.page))
			})
			mux.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) {
				if _, err := r.Cookie("__Host-a"); err != nil {
					t.Error(err)
				}

				_ = r.ParseForm()
				_, _ = w.Write([]byte(r.Method + " " + r.Form.Encode()))
			})

			server := httptest.NewServer(mux)
			defer server.Close()

			b := openidtest.New(t)

			v := b.Open(t, server.URL, "alice", nil)
			if got := v.Last().Body; len(v.Steps) != 3 || got != row.method+" "+row.form {
				t.Errorf("%s", v)
			}

			v = b.Open(t, server.URL, "alice", openidtest.Before("/done"))
			if len(v.Steps) != 2 || v.Next.Path != "/done" {
				t.Errorf("it does not stop: %s", v)
			}
		})
	}
}
