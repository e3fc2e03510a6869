package payment

import (
	"crypto/sha256"
	"regexp"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/validate"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// Bounds of wallets: the provider in characters, the token in bytes.
const (
	maxProvider = 64
	maxToken    = 4096
)

var (
	lastFourPattern = regexp.MustCompile(`^[0-9]{4}$`)
	ibanPattern     = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$`)
)

// checkSource looks at what pays, which need not be given.
func checkSource(v *fault.Violations, req *paymentv1.CreatePaymentRequest) {
	var (
		field  string
		method paymentv1.PaymentMethod
	)

	switch source := req.GetSource().(type) {
	case nil:
		return
	case *paymentv1.CreatePaymentRequest_Card:
		field, method = "card", paymentv1.PaymentMethod_PAYMENT_METHOD_CARD

		if !lastFourPattern.MatchString(source.Card.GetLastFour()) {
			v.Addf("card.last_four", "must be four digits")
		}
	case *paymentv1.CreatePaymentRequest_BankTransfer:
		field, method = "bank_transfer", paymentv1.PaymentMethod_PAYMENT_METHOD_BANK_TRANSFER

		if !ibanPattern.MatchString(source.BankTransfer.GetIban()) {
			v.Addf("bank_transfer.iban", "must be an IBAN without spaces")
		}
	case *paymentv1.CreatePaymentRequest_Wallet:
		field, method = "wallet", paymentv1.PaymentMethod_PAYMENT_METHOD_WALLET

		validate.Required(v, "wallet.provider", source.Wallet.GetProvider(), maxProvider)

		if len(source.Wallet.GetToken()) > maxToken {
			v.Addf("wallet.token", "must have at most %d bytes", maxToken)
		}
	}

	if req.GetMethod() != method {
		v.Addf(field, "goes with the method %s only", method)
	}
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
