package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Transport compares what a client sees of gateways, each with the document that it serves at /openapi.json. Servers that serve
// none are left alone. It is safe for concurrent use.
type Transport struct {
	Next  http.RoundTripper
	Tally *Tally
	// Pages are paths that are no part of the API.
	Pages []string

	mu    sync.Mutex
	known map[string]*Checker // By scheme and host.
}

// RoundTrip implements http.RoundTripper. The exchange is checked when the client has read or closed the answer.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, page := range t.Pages {
		if below(r.URL.EscapedPath(), page) {
			return t.Next.RoundTrip(r)
		}
	}

	request := &tee{}
	e := Exchange{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Request: Message{Header: r.Header.Clone()},
	}

	if r.Body != nil && r.Body != http.NoBody {
		request.from = r.Body
		r = r.Clone(r.Context())
		r.Body = request
	}

	res, err := t.Next.RoundTrip(r)
	if err != nil || res.StatusCode == http.StatusSwitchingProtocols {
		return res, err
	}

	c := t.checker(r)
	if c == nil {
		return res, nil
	}

	e.Status = res.StatusCode
	e.Answer.Header = res.Header.Clone()
	body := &tee{from: res.Body}

	res.Body = &ending{tee: body, end: func() {
		e.Request.Body, e.Request.Partial = request.taken(request.from != nil)
		e.Answer.Body, e.Answer.Partial = body.taken(true)

		t.Tally.later(c, observed{
			exchange: e, document: func() (*Checker, error) { return c, nil }, where: r.Method + " " + r.URL.Path,
		})
	}}

	return res, nil
}

// ending is a body that tells once that it was closed or read to its end.
type ending struct {
	*tee

	end  func()
	once sync.Once
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.tee.Read(p)
	if errors.Is(err, io.EOF) {
		e.once.Do(e.end)
	}

	return n, err
}

func (e *ending) Close() error {
	e.once.Do(e.end)

	return e.tee.Close()
}

// checker asks the server for its document, once, with the credentials of the request; nil if it has none for them.
func (t *Transport) checker(r *http.Request) *Checker {
	t.mu.Lock()
	defer t.mu.Unlock()

	server := (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}).String()
	if c, asked := t.known[server]; asked {
		return c
	}

	if t.known == nil {
		t.known = map[string]*Checker{}
	}

	text := t.fetch(server+"/openapi.json", r.Header)
	if text == nil {
		return nil
	}

	c, err := t.Tally.Load(text)
	if err != nil {
		t.Tally.note(err.Error(), server)
	}

	t.known[server] = c

	return c
}

func (t *Transport) fetch(address string, header http.Header) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil
	}

	for _, name := range []string{"Authorization", "X-Api-Key"} {
		if values := header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}

	res, err := t.Next.RoundTrip(r)
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()

	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(`"openapi"`)) {
		return nil
	}

	return text
}
