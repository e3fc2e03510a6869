package scaffold

import "testing"

// Once, the example had only what the first call needs, so that the others failed.
func TestExampleOfAPage(t *testing.T) {
	t.Parallel()

	user, order := param{Name: "user_id"}, param{Name: "order_id"}
	first := leg{Params: []param{user}}

	for want, legs := range map[string][]leg{
		"/v1/inbox/USER_ID":                   {first, {}},
		"/v1/inbox/USER_ID?order_id=ORDER_ID": {first, {Params: []param{user, order}}},
	} {
		if got := (page{Path: "/v1/inbox", Legs: legs}).example(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
