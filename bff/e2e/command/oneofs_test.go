package command_test

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"
)

// testOneofs changes an order that is pending and pays a part of it. What it sends has oneofs, required or not, a map, bytes, and fields
// that a mask names.
func testOneofs(t *testing.T, p *process, order, token string) {
	t.Helper()

	updated := want(t, "update", call(t, http.MethodPatch, order, token, `{"note": "ring twice", "labels": {"gift": "yes"}}`),
		http.StatusOK).json(t)
	if labels, _ := json.Marshal(updated["labels"]); updated["note"] != "ring twice" || string(labels) != `{"gift":"yes"}` {
		t.Errorf("updated to %v", updated)
	}

	want(t, "update of a part", call(t, http.MethodPatch, order, token, `{"note": null}`), http.StatusOK)

	redirected := want(t, "redirect", call(t, http.MethodPost, order+":redirect", token, `{"pickupPoint": "Kiosk"}`), http.StatusOK).json(t)
	if _, noted := redirected["note"]; noted || redirected["pickupPoint"] != "Kiosk" {
		t.Errorf("redirected to %v", redirected)
	}

	pay := func(more string) answer {
		body := `{"orderId": "` + path.Base(order) + `", "amount": {"currencyCode": "EUR", "units": "1"}, ` + more + `}`

		return call(t, http.MethodPost, p.url+"/v1/payments", token, body)
	}

	paid := want(t, "pay", pay(`"method": "PAYMENT_METHOD_WALLET", "wallet": {"provider": "Example Pay", "token": "c2lnbmVk"}`), http.StatusCreated)
	if !strings.Contains(paid.body, `"wallet":{"provider":"Example Pay","tokenHash":"`) {
		t.Errorf("paid by %s", paid.body)
	}

	for _, row := range []struct {
		got         answer
		field, says string
	}{
		{call(t, http.MethodPost, order+":redirect", token, `{}`), "destination", "set one of address, pickupPoint"},
		{
			call(t, http.MethodPost, order+":redirect", token, `{"pickupPoint": "a", "address": {}}`),
			"address", `is a second member of the oneof \"destination\", as pickupPoint is`,
		},
		{
			pay(`"method": "PAYMENT_METHOD_CARD", "card": {"lastFour": "4242"}, "wallet": {}`),
			"wallet", `is a second member of the oneof \"source\", as card is`,
		},
	} {
		want(t, row.says, row.got, http.StatusBadRequest)

		if !strings.Contains(row.got.body, `{"in":"body","field":"`+row.field+`","description":"`+row.says+`"}`) {
			t.Errorf("%s, want %s: %s", row.got.body, row.field, row.says)
		}
	}
}
