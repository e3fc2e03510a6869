// Package money calculates with money.v1.Money, exactly: no floating point, and a result that does not fit is an error.
//
// It does not convert between currencies and does not round.
package money

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
)

// nanosPerUnit is how finely an amount is divided (money.v1.Money).
const nanosPerUnit = 1_000_000_000

var (
	// ErrOverflow says that a result has more units than an int64 holds.
	ErrOverflow = errors.New("amount out of range")
	// ErrCurrency says that amounts in different currencies were put together.
	ErrCurrency = errors.New("currencies differ")
)

// Zero is nothing, in a currency.
func Zero(currency string) *moneyv1.Money {
	return &moneyv1.Money{CurrencyCode: currency}
}

// Add gives a + b.
func Add(a, b *moneyv1.Money) (*moneyv1.Money, error) {
	if err := sameCurrency(a, b); err != nil {
		return nil, err
	}

	return fromNanos(a.GetCurrencyCode(), new(big.Int).Add(toNanos(a), toNanos(b)))
}

// Sub gives a - b.
func Sub(a, b *moneyv1.Money) (*moneyv1.Money, error) {
	if err := sameCurrency(a, b); err != nil {
		return nil, err
	}

	return fromNanos(a.GetCurrencyCode(), new(big.Int).Sub(toNanos(a), toNanos(b)))
}

// Mul gives m times a quantity.
func Mul(m *moneyv1.Money, quantity int64) (*moneyv1.Money, error) {
	return fromNanos(m.GetCurrencyCode(), new(big.Int).Mul(toNanos(m), big.NewInt(quantity)))
}

// Compare gives -1, 0 or 1 as a is less than, equal to or more than b.
func Compare(a, b *moneyv1.Money) (int, error) {
	if err := sameCurrency(a, b); err != nil {
		return 0, err
	}

	return toNanos(a).Cmp(toNanos(b)), nil
}

// Sign gives -1, 0 or 1 as m is negative, nothing or positive.
func Sign(m *moneyv1.Money) int {
	return toNanos(m).Sign()
}

// IsNegative reports whether m is negative or no amount: its parts must have one sign, which no rule of a field can say.
func IsNegative(m *moneyv1.Money) bool { return m.GetUnits() < 0 || m.GetNanos() < 0 }

// Format writes an amount for people, with two decimals or as many as it needs: "12.50 EUR".
func Format(m *moneyv1.Money) string {
	const leastDecimals = 2

	total := toNanos(m)
	units, nanos := new(big.Int).QuoRem(new(big.Int).Abs(total), big.NewInt(nanosPerUnit), new(big.Int))

	decimals := fmt.Sprintf("%09d", nanos)
	for len(decimals) > leastDecimals && strings.HasSuffix(decimals, "0") {
		decimals = decimals[:len(decimals)-1]
	}

	sign := ""
	if total.Sign() < 0 {
		sign = "-"
	}

	return fmt.Sprintf("%s%s.%s %s", sign, units, decimals, m.GetCurrencyCode())
}

func sameCurrency(a, b *moneyv1.Money) error {
	if a.GetCurrencyCode() != b.GetCurrencyCode() {
		return fmt.Errorf("%w: %q and %q", ErrCurrency, a.GetCurrencyCode(), b.GetCurrencyCode())
	}

	return nil
}

// toNanos gives the whole amount in billionths. It takes up to 93 bits, hence big.Int.
func toNanos(m *moneyv1.Money) *big.Int {
	total := new(big.Int).Mul(big.NewInt(m.GetUnits()), big.NewInt(nanosPerUnit))

	return total.Add(total, big.NewInt(int64(m.GetNanos())))
}

// fromNanos relies on QuoRem truncating towards zero: both parts get the sign of the whole.
func fromNanos(currency string, total *big.Int) (*moneyv1.Money, error) {
	units, nanos := new(big.Int).QuoRem(total, big.NewInt(nanosPerUnit), new(big.Int))
	if !units.IsInt64() {
		return nil, ErrOverflow
	}

	return &moneyv1.Money{CurrencyCode: currency, Units: units.Int64(), Nanos: int32(nanos.Int64())}, nil
}
