package browsertest

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Cookies are those that the browser would send to the URL of the page, also the ones that scripts do not see.
func (p *Page) Cookies() []*network.Cookie {
	p.tb.Helper()

	var found []*network.Cookie

	p.Do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		result, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{})
		found = result.Cookies

		return err
	}))

	return found
}
