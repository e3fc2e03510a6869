package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

const (
	// timeout bounds a request to a provider.
	timeout = 10 * time.Second
	// maxResponse is the largest response that is read, in bytes.
	maxResponse = 1 << 20
	// maxHeader is the largest header of a response, in bytes.
	maxHeader = 64 << 10
	// idleConnections is how many connections are kept for the next login or refresh.
	idleConnections = 16
)

var errTooLarge = fmt.Errorf("the response is larger than %d bytes", maxResponse)

// newClient returns a client that follows no redirects: no endpoint of a provider that a client calls has any, and they would lead
// the client's secret elsewhere.
func newClient() *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: timeout,
			MaxResponseHeaderBytes: maxHeader,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded bounds the responses of a transport.
type bounded struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}

	res.Body = &boundedBody{res.Body, maxResponse}

	return res, nil
}

type boundedBody struct {
	io.ReadCloser

	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}

	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)

	return n, err
}

// post sends a form with the credentials of the client (RFC 6749, section 2.3.1), and decodes the response into result, unless that
// is nil.
func (p *Provider) post(ctx context.Context, endpoint string, form url.Values, result any) error {
	secret := p.clientSecret()
	inHeader := secret != "" && p.cfg.ClientAuth != config.ClientAuthPost

	if form.Set("client_id", p.cfg.ClientID); secret != "" && !inHeader {
		form.Set("client_secret", secret)
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")

	if inHeader {
		r.SetBasicAuth(url.QueryEscape(p.cfg.ClientID), url.QueryEscape(secret))
	}

	res, err := p.client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close() //nolint:errcheck // Nothing was written.

	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%w: read: %w", ErrUnavailable, err)
	}

	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return refusal(res.StatusCode, body)
	}

	if result == nil {
		return nil
	}

	if err := json.Unmarshal(body, result); err != nil {
		return fmt.Errorf("%w: response: %w", ErrUnavailable, err)
	}

	return nil
}

// refusal is the error of an error response (RFC 6749, section 5.2).
func refusal(status int, body []byte) error {
	var response struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}

	_ = json.Unmarshal(body, &response) // Without an error of OAuth it says nothing.

	return refused(status, response.Error, response.Description)
}

// userErrors are the error codes that another login mends: the code or the refresh token is not valid any more, or the user has to
// do something (OpenID Connect Core 1.0, section 3.1.2.6).
func userErrors() []string {
	return []string{
		"invalid_grant", "interaction_required", "login_required", "consent_required", "account_selection_required",
	}
}

// refused is the error for an error code. That of a wrong secret does not become better by another login.
func refused(status int, code, description string) error {
	kind := ErrUnavailable

	switch {
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
	case slices.Contains(userErrors(), code):
		kind = ErrRefused
	default:
		kind = rejected{}
	}

	return fmt.Errorf("%w: status %d, error %.100q: %.300q", kind, status, code, description)
}

var errNoRequestURI = errors.New("pushed authorization request: the response has no request_uri")
