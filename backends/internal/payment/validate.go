package payment

import (
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/validate"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// maxReason bounds the reason of a refund, in characters.
const maxReason = 500

func checkCreate(v *fault.Violations, req *paymentv1.CreatePaymentRequest) {
	validate.ID(v, "order_id", req.GetOrderId())
	checkAmount(v, req.GetAmount())

	method := req.GetMethod()
	if _, known := paymentv1.PaymentMethod_name[int32(method)]; !known || method == 0 {
		v.Addf("method", "must be specified")

		return
	}

	checkSource(v, req)
}

func checkRefund(v *fault.Violations, req *paymentv1.RefundPaymentRequest) {
	validate.Text(v, "reason", req.GetReason(), maxReason)

	if req.GetAmount() != nil {
		checkAmount(v, req.GetAmount())
	}
}

func checkAmount(v *fault.Violations, amount *moneyv1.Money) {
	if money.Check(v, "amount", amount) && money.Sign(amount) <= 0 {
		v.Addf("amount", "must be more than 0")
	}
}

func checkCurrency(v *fault.Violations, amount *moneyv1.Money, currency string) {
	if amount.GetCurrencyCode() != currency {
		v.Addf("amount.currency_code", "must be %s", currency)
	}
}
