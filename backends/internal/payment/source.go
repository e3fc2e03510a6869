package payment

import (
	"crypto/sha256"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/fault"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// checkSource wants what pays, if it is given, to go with the method.
func checkSource(req *paymentv1.CreatePaymentRequest) error {
	var (
		field  string
		method paymentv1.PaymentMethod
	)

	switch req.GetSource().(type) {
	case nil:
		return nil
	case *paymentv1.CreatePaymentRequest_Card:
		field, method = "card", paymentv1.PaymentMethod_PAYMENT_METHOD_CARD
	case *paymentv1.CreatePaymentRequest_BankTransfer:
		field, method = "bank_transfer", paymentv1.PaymentMethod_PAYMENT_METHOD_BANK_TRANSFER
	case *paymentv1.CreatePaymentRequest_Wallet:
		field, method = "wallet", paymentv1.PaymentMethod_PAYMENT_METHOD_WALLET
	}

	var v fault.Violations
	if req.GetMethod() != method {
		v.Addf(field, "goes with the method %s only", method)
	}

	return v.Err()
}

// withoutToken is a request as it may be stored: with the hash of a wallet's token in its place.
func withoutToken(req *paymentv1.CreatePaymentRequest) *paymentv1.CreatePaymentRequest {
	if len(req.GetWallet().GetToken()) == 0 {
		return req
	}

	stored := proto.CloneOf(req)
	stored.GetWallet().Token = hash(req.GetWallet().GetToken())

	return stored
}

func hash(token []byte) []byte {
	sum := sha256.Sum256(token)

	return sum[:]
}

// setSource sets what pays. Of a wallet's token only the hash is kept.
func setSource(p *paymentv1.Payment, req *paymentv1.CreatePaymentRequest) {
	switch source := req.GetSource().(type) {
	case *paymentv1.CreatePaymentRequest_Card:
		p.Source = &paymentv1.Payment_Card{Card: source.Card}
	case *paymentv1.CreatePaymentRequest_BankTransfer:
		p.Source = &paymentv1.Payment_BankTransfer{BankTransfer: source.BankTransfer}
	case *paymentv1.CreatePaymentRequest_Wallet:
		wallet := &paymentv1.Wallet{Provider: source.Wallet.GetProvider()}

		if token := source.Wallet.GetToken(); len(token) > 0 {
			wallet.TokenHash = hash(token)
		}

		p.Source = &paymentv1.Payment_Wallet{Wallet: wallet}
	}
}
