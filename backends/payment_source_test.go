package backends_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

const (
	transfer = paymentv1.PaymentMethod_PAYMENT_METHOD_BANK_TRANSFER
	wallet   = paymentv1.PaymentMethod_PAYMENT_METHOD_WALLET
)

func TestPaymentSources(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	w := startWorld(t, dir)
	id := w.placeOrder(t).GetOrderId()
	token := []byte("signed by the wallet")
	sum := sha256.Sum256(token)

	paid := func(req *paymentv1.CreatePaymentRequest) *paymentv1.Payment {
		t.Helper()

		req.OrderId, req.Amount = id, euros(1, 0)
		p := must[*paymentv1.Payment](t)(w.payments.CreatePayment(as(t, "alice"), req))
		read := must[*paymentv1.Payment](t)(w.payments.GetPayment(as(t, "alice"), &paymentv1.GetPaymentRequest{PaymentId: p.GetPaymentId()}))

		if diff := cmp.Diff(p, read, protocmp.Transform()); diff != "" {
			t.Errorf("stored otherwise (-created +read):\n%s", diff)
		}

		return read
	}

	if got := paid(&paymentv1.CreatePaymentRequest{Method: card}); got.GetSource() != nil {
		t.Errorf("without a source: %v", got.GetSource())
	}

	got := paid(&paymentv1.CreatePaymentRequest{Method: card, Source: &paymentv1.CreatePaymentRequest_Card{
		Card: &paymentv1.Card{LastFour: "4242"},
	}})
	if got.GetCard().GetLastFour() != "4242" {
		t.Errorf("by card: %v", got.GetSource())
	}

	got = paid(&paymentv1.CreatePaymentRequest{Method: transfer, Source: &paymentv1.CreatePaymentRequest_BankTransfer{
		BankTransfer: &paymentv1.BankTransfer{Iban: "AT611904300234573201"},
	}})
	if got.GetBankTransfer().GetIban() != "AT611904300234573201" {
		t.Errorf("by transfer: %v", got.GetSource())
	}

	byWallet := &paymentv1.CreatePaymentRequest{Method: wallet, RequestId: "once", Source: &paymentv1.CreatePaymentRequest_Wallet{
		Wallet: &paymentv1.Wallet{Provider: "Example Pay", Token: token},
	}}
	got = paid(byWallet)

	want := &paymentv1.Wallet{Provider: "Example Pay", TokenHash: sum[:]}
	if diff := cmp.Diff(want, got.GetWallet(), protocmp.Transform()); diff != "" {
		t.Errorf("by wallet (-want +got):\n%s", diff)
	}

	// The same request again is the same payment; with another token it is another request.
	if again := paid(byWallet); again.GetPaymentId() != got.GetPaymentId() {
		t.Error("the same request paid twice")
	}

	byWallet.GetWallet().Token = []byte("another")
	_, err := w.payments.CreatePayment(as(t, "alice"), byWallet)
	wantCode(t, err, codes.InvalidArgument)

	files, err := filepath.Glob(filepath.Join(dir, "payment*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v in %s: %v", files, dir, err)
	}

	for _, file := range files {
		if stored, err := os.ReadFile(file); err != nil || bytes.Contains(stored, token) {
			t.Errorf("the token is in %s, %v", file, err)
		}
	}
}

func TestPaymentSourceViolations(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()

	for _, row := range []struct {
		req    *paymentv1.CreatePaymentRequest
		fields []string
	}{
		{&paymentv1.CreatePaymentRequest{Method: transfer, Source: &paymentv1.CreatePaymentRequest_Card{
			Card: &paymentv1.Card{LastFour: "4242"},
		}}, []string{"card"}},
		{&paymentv1.CreatePaymentRequest{Method: card, Source: &paymentv1.CreatePaymentRequest_Card{}}, []string{"card.last_four"}},
		{&paymentv1.CreatePaymentRequest{Method: transfer, Source: &paymentv1.CreatePaymentRequest_BankTransfer{
			BankTransfer: &paymentv1.BankTransfer{Iban: "AT61 1904"},
		}}, []string{"bank_transfer.iban"}},
		{&paymentv1.CreatePaymentRequest{Method: wallet, Source: &paymentv1.CreatePaymentRequest_Wallet{
			Wallet: &paymentv1.Wallet{Token: make([]byte, 4097)},
		}}, []string{"wallet.provider", "wallet.token"}},
	} {
		row.req.OrderId, row.req.Amount = id, euros(1, 0)
		_, err := w.payments.CreatePayment(as(t, "alice"), row.req)
		wantFields(t, err, row.fields...)
	}
}
