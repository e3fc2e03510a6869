package traffic_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// productPage is a composite that shows one product, named by the id of the user, or changes it if the id begins with "new-".
type productPage struct {
	dashboardv1.UnimplementedDashboardServiceServer

	products *products
	conn     grpc.ClientConnInterface
}

func (p productPage) GetDashboard(ctx context.Context, req *dashboardv1.GetDashboardRequest) (*dashboardv1.Dashboard, error) {
	method := "GetStoredProduct"

	id, changes := strings.CutPrefix(req.GetUserId(), "new-")
	if changes {
		method = "ChangeProduct"
	}

	title, err := p.products.ask(ctx, p.conn, method, id)

	return &dashboardv1.Dashboard{User: &userv1.User{DisplayName: title}}, err
}

// Legs obey the cache policies of methods that no route calls.
func TestCachePolicyOfAMethodWithoutARoute(t *testing.T) {
	s, p := startOverProducts(t, func(p *products, conn grpc.ClientConnInterface) dashboardv1.DashboardServiceServer {
		return productPage{products: p, conn: conn}
	})

	t.Parallel()

	client := gatewaytest.PlainClient(t)

	for _, step := range []struct {
		name, user    string
		reads, writes int
	}{
		{"miss", "tea", 1, 0},
		{"hit", "tea", 0, 0},
		{"another", "cup", 1, 0},
		{"write", "new-tea", 0, 1},
		{"after_the_write", "tea", 1, 0},
		{"another_is_not_affected", "cup", 0, 0},
	} {
		res := s.MustSend(t, client, gatewaytest.Request{Target: "/v1/users/" + step.user + "/dashboard"})
		if want := "title of " + strings.TrimPrefix(step.user, "new-"); res.Status != http.StatusOK || !strings.Contains(res.Body, want) {
			t.Errorf("%s: %d %s", step.name, res.Status, res.Body)
		}

		calls := p.took()
		if reads, writes := len(calls["GetStoredProduct"]), len(calls["ChangeProduct"]); reads != step.reads || writes != step.writes {
			t.Errorf("%s: %d reads and %d writes, want %d and %d", step.name, reads, writes, step.reads, step.writes)
		}
	}
}

// A page with a part that is older than its policy says is for the request alone: stored, it would be taken for fresh for as long as the
// policy of the page says.
func TestPagesWithAStalePartAreNotStored(t *testing.T) {
	t.Parallel()

	for name, cached := range map[string]gatewaytest.Object{
		"stale_if_error":         {"ttl": "0.001s", "stale_if_error": "600s"},
		"stale_while_revalidate": {"ttl": "0.001s", "stale_while_revalidate": "600s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
				patient(c)
				gatewaytest.SetPolicy(c, getMyDashboard, gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "600s"}})
				gatewaytest.SetPolicy(c, getProfile, gatewaytest.Object{"cache": cached})
			})
			client, header := gatewaytest.PlainClient(t), s.As(t, "alice")

			// Each is a page of its own, with the same profile.
			get := func(count int) gatewaytest.Response {
				return s.MustSend(t, client, gatewaytest.Request{Target: fmt.Sprint(myDashboard, "?orderCount=", count), Header: header})
			}

			if res := get(1); res.Header.Get(cacheStatus) != freshMiss || res.Header.Get("Etag") == "" || !isHit(get(1)) {
				t.Fatalf("with fresh parts: %d %v", res.Status, res.Header)
			}

			if name == "stale_if_error" {
				b.FailWith(failing(gatewaytest.RPCGetProfile, codes.Unavailable))
			}

			var res gatewaytest.Response

			count := 1

			gatewaytest.Eventually(t, "a page with a stale profile", func() bool {
				before := staleProfiles(t, s)
				count++
				res = get(count)

				return staleProfiles(t, s) > before
			})

			if res.Status != http.StatusOK || strings.Contains(res.Body, "partialErrors") || !strings.Contains(res.Body, `"profile":`) ||
				res.Header.Get(cacheStatus) != "portico; fwd=uri-miss" || res.Header.Get("Etag") != "" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v %s", res.Status, res.Header, res.Body)
			}

			if again := get(count); isHit(again) {
				t.Errorf("the next one: %v", again.Header)
			}
		})
	}
}

// staleProfiles is how often a leg got a profile that was older than its policy says.
func staleProfiles(t *testing.T, s *gatewaytest.Site) int {
	t.Helper()

	const series = `portico_cache_events_total{event="stale",rpc="profile.v1.ProfileService.GetProfile"} `

	_, rest, found := strings.Cut(gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body, series)
	if !found {
		return 0
	}

	text, _, _ := strings.Cut(rest, "\n")

	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}

	return n
}
