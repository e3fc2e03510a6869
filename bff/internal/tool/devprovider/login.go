package devprovider

import (
	_ "embed"
	"net/http"
	"strings"
	"time"
)

// The pages need no template: a form without an action is sent to the URL of its page, which has the id of the login.
//
//go:embed page/login.html
var loginHTML string

//go:embed page/logout.html
var logoutHTML string

//go:embed page/message.html
var messageHTML string

//go:embed page/style.css
var styleCSS string

const noLogin = "This login has expired or is already done. Go back to the application, and log in again."

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	// An error means that the client is gone.
	_, _ = w.Write([]byte(styleCSS))
}

func writePage(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// An error means that the client is gone.
	_, _ = w.Write([]byte(page))
}

// writeMessage is a page with a text of ours, which has no characters that HTML would have to escape.
func writeMessage(w http.ResponseWriter, status int, text string) {
	writePage(w, status, strings.Replace(messageHTML, "MESSAGE", text, 1))
}

// showLogin is the page on which the user chooses who to be.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	if _, ok := p.state.logins.get(r.URL.Query().Get("id")); !ok {
		writeMessage(w, http.StatusNotFound, noLogin)

		return
	}

	writePage(w, http.StatusOK, loginHTML)
}

// logIn begins a session of the browser, in place of the one before, and gives the client its code.
func (p *Provider) logIn(w http.ResponseWriter, r *http.Request) {
	u, ok := findUser(r.PostFormValue("user"))
	if !ok {
		writeMessage(w, http.StatusBadRequest, "There is no such user.")

		return
	}

	request, ok := p.state.logins.take(r.URL.Query().Get("id"))
	if !ok {
		writeMessage(w, http.StatusNotFound, noLogin)

		return
	}

	if before := p.session(r); before != nil && before.user.name != u.name {
		p.end(r.Context(), before)
	}

	s := &session{user: u, authTime: time.Now(), clients: map[string]bool{}}
	s.sid = p.state.sids.add(s)
	http.SetCookie(w, p.cookie(p.state.sessions.add(s), sessionLifetime))
	p.giveCode(w, r, request, s)
}

// session is that of the browser, or nil.
func (p *Provider) session(r *http.Request) *session {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return nil
	}

	s, ok := p.state.sessions.get(cookie.Value)
	if !ok || s.ended.Load() {
		return nil
	}

	return s
}

// cookie is sent along when another site navigates here, since that is what clients do.
func (p *Provider) cookie(value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Issuers with http have no use for Secure.
		Name: CookieName, Value: value, Path: DevPath, MaxAge: int(lifetime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.issuer, "https:"),
	}
}
