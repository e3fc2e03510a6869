package devprovider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	// logoutTokenLifetime is what OpenID Connect Back-Channel Logout 1.0, section 4, calls short: at most two minutes.
	logoutTokenLifetime = 2 * time.Minute
	// deliveryTimeout is for one client.
	deliveryTimeout = 5 * time.Second
)

var errDelivery = errors.New("the client refused it")

// endSession is the endpoint of OpenID Connect RP-Initiated Logout 1.0. It ends the session of the browser and the one that the ID
// token names, and sends the browser back to a client that is known. Without an ID token any site may have sent the browser, so the
// user is asked (section 2).
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	request, err := op.ParseEndSessionRequest(r, p.decoder)
	if err != nil {
		http.Error(w, "The request cannot be read.", http.StatusBadRequest)

		return
	}

	sid, hinted, err := p.hint(r.Context(), request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)

		return
	}

	back, err := destination(request, hinted)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)

		return
	}

	if !hinted && p.session(r) != nil && (r.Method != http.MethodPost || p.protection.Check(r) != nil) {
		writePage(w, http.StatusOK, logoutHTML)

		return
	}

	if s, ok := p.state.sids.get(sid); ok {
		p.end(r.Context(), s)
	}

	if s := p.session(r); s != nil {
		p.end(r.Context(), s)
	}

	http.SetCookie(w, p.cookie("", -time.Second))

	if back == "" {
		writeMessage(w, http.StatusOK, "You are logged out.")

		return
	}

	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // It was checked to be on a loopback host.
}

// destination is the URL of a client to which the browser is sent, or empty if the request does not say of which client it is, as
// somebody else may have made it (section 2).
func destination(request *oidc.EndSessionRequest, hinted bool) (string, error) {
	if request.PostLogoutRedirectURI == "" || !hinted && request.ClientID == "" {
		return "", nil
	}

	back, ok := op.HTTPLoopbackOrLocalhost(request.PostLogoutRedirectURI)
	if !ok {
		return "", oidc.ErrInvalidRequest().WithDescription("post_logout_redirect_uri must be a URL of a loopback host")
	}

	if request.State != "" {
		query := back.Query()
		query.Set("state", request.State)
		back.RawQuery = query.Encode()
	}

	return back.String(), nil
}

// hint is the session that the ID token in a request names, if there is one. It may have expired (section 4).
func (p *Provider) hint(ctx context.Context, request *oidc.EndSessionRequest) (sid string, hinted bool, err error) {
	if request.ClientID != "" && request.ClientID != ClientID {
		return "", false, oidc.ErrInvalidRequest().WithDescription("client_id is not " + ClientID)
	}

	if request.IdTokenHint == "" {
		return "", false, nil
	}

	claims, err := op.VerifyIDTokenHint[*oidc.IDTokenClaims](ctx, request.IdTokenHint, p.keys.hints)
	if err != nil && !errors.As(err, &op.IDTokenHintExpiredError{}) {
		return "", false, oidc.ErrInvalidRequest().WithDescription("id_token_hint is not an ID token of this provider")
	}

	return claims.SessionID, true, nil
}

// end ends a session, and tells the clients that got tokens in it. Refresh tokens with the scope offline_access remain
// (OpenID Connect Back-Channel Logout 1.0, section 2.7); clients revoke theirs.
func (p *Provider) end(ctx context.Context, s *session) {
	if s.ended.Swap(true) || p.options.BackChannelPath == "" {
		return
	}

	// Even if the browser does not wait for it.
	ctx = context.WithoutCancel(ctx)

	for _, client := range s.joiners() {
		to := client + p.options.BackChannelPath
		if err := p.deliver(ctx, s, to); err != nil {
			p.options.Logger.Warn("logout token could not be delivered", "to", to, "error", err)
		}
	}
}

func newSender() http.Client {
	return http.Client{
		Timeout:       deliveryTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// deliver sends a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.5).
func (p *Provider) deliver(ctx context.Context, s *session, to string) error {
	expires := time.Now().Add(logoutTokenLifetime)
	claims := oidc.NewLogoutTokenClaims(p.issuer, s.user.name, oidc.Audience{ClientID}, expires, rand.Text(), s.sid, 0)

	token, err := crypto.Sign(claims, p.keys.logoutTokens)
	if err != nil {
		return fmt.Errorf("sign logout token: %w", err)
	}

	form := strings.NewReader(url.Values{"logout_token": {token}}.Encode())

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, form) //nolint:gosec // It is on a loopback host.
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}

	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")

	response, err := p.sender.Do(request) //nolint:gosec // As above.
	if err != nil {
		return fmt.Errorf("send logout token: %w", err)
	}

	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("send logout token: %w", err)
	}

	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%w: %s", errDelivery, response.Status)
	}

	return nil
}
