package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

const (
	fetchTimeout = 5 * time.Second
	// maxDocument is the largest response in bytes. A key takes less than 2 KB.
	maxDocument = 1 << 20
	// maxRedirects on the way to a key set, all on the same host.
	maxRedirects = 3
)

var errFetch = errors.New("key set refused")

func fromURL(rawURL string) (fetchFunc, error) {
	if err := checkURL(rawURL); err != nil {
		return nil, err
	}

	client := newClient()

	return func(ctx context.Context) (keySet, time.Duration, error) {
		return fetchKeys(ctx, client, rawURL)
	}, nil
}

// fromDiscovery returns a function that fetches the keys from where the issuer says they are (OpenID Connect Discovery 1.0, section
// 4), which it asks each time: keys may move.
func fromDiscovery(issuer string) (fetchFunc, error) {
	if err := checkURL(issuer); err != nil {
		return nil, err
	}

	client := newClient()

	return func(ctx context.Context) (keySet, time.Duration, error) {
		// Both requests share the time of one fetch.
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()

		data, _, err := get(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return nil, 0, fmt.Errorf("discovery: %w", err)
		}

		var document struct {
			Issuer  string `json:"issuer"`
			JWKSURI string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(data, &document); err != nil {
			return nil, 0, fmt.Errorf("discovery: %w", err)
		}

		if document.Issuer != issuer {
			return nil, 0, fmt.Errorf("discovery: %w: it is about issuer %.200q", errFetch, document.Issuer)
		}

		if err := checkKeyURL(issuer, document.JWKSURI); err != nil {
			return nil, 0, fmt.Errorf("discovery: jwks_uri: %w", err)
		}

		return fetchKeys(ctx, client, document.JWKSURI)
	}, nil
}

func fetchKeys(ctx context.Context, client *http.Client, location string) (keySet, time.Duration, error) {
	data, freshFor, err := get(ctx, client, location)
	if err != nil {
		return nil, 0, fmt.Errorf("key set: %w", err)
	}

	set, err := parseKeys(data)

	return set, freshFor, err
}

// checkURL refuses URLs whose content could be changed on the way.
func checkURL(rawURL string) error {
	location, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("parse URL: %w", err)
	}

	if location.Host == "" || !secure(location) {
		return fmt.Errorf("%w: %s", errInsecure, location.Redacted())
	}

	return nil
}

// checkKeyURL refuses keys at less secure URLs than their issuer's, such as other services of this machine.
func checkKeyURL(issuer, rawURL string) error {
	if err := checkURL(rawURL); err != nil {
		return err
	}

	if strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(rawURL, "https:") {
		return fmt.Errorf("%w: %.200s", errInsecure, rawURL)
	}

	return nil
}

// newClient returns a client that follows no redirect to another host, and does not keep connections open until the next interval.
func newClient() *http.Client {
	return &http.Client{
		Timeout:   fetchTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host || len(via) > maxRedirects {
				return fmt.Errorf("%w: redirect to %s", errFetch, r.URL.Redacted())
			}

			return nil
		},
	}
}

// secure reports whether the response cannot be changed on the way: it is authenticated, or does not leave this machine.
func secure(location *url.URL) bool {
	return location.Scheme == "https" || location.Scheme == "http" && config.IsLoopback(location.Hostname())
}

// get returns a document, and how long it is fresh by its Cache-Control (RFC 9111, section 5.2.2.1).
func get(ctx context.Context, client *http.Client, url string) ([]byte, time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, 0, fmt.Errorf("make request: %w", err)
	}

	r.Header.Set("Accept", "application/jwk-set+json, application/json")

	res, err := client.Do(r)
	if err != nil {
		return nil, 0, fmt.Errorf("get: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // Nothing was written.

	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%w: status %d", errFetch, res.StatusCode)
	}

	data, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read: %w", err)
	}

	if len(data) > maxDocument {
		return nil, 0, fmt.Errorf("%w: larger than %d bytes", errFetch, maxDocument)
	}

	return data, maxAge(res.Header.Values("Cache-Control")), nil
}

func maxAge(cacheControl []string) time.Duration {
	for name, value := range httpfield.Directives(cacheControl) {
		if name != "max-age" {
			continue
		}

		if age, ok := httpfield.DeltaSeconds(value); ok {
			return age
		}
	}

	return 0
}
