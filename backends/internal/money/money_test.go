package money_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/validate"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
)

func eur(units int64, nanos int32) *moneyv1.Money {
	return &moneyv1.Money{CurrencyCode: "EUR", Units: units, Nanos: nanos}
}

func ExampleFormat() {
	fmt.Println(money.Format(&moneyv1.Money{CurrencyCode: "EUR", Units: 12, Nanos: 500_000_000}))
	// Output: 12.50 EUR
}

func TestAddAndSub(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		a, b, sum *moneyv1.Money
	}{
		"carries":         {eur(1, 600_000_000), eur(2, 500_000_000), eur(4, 100_000_000)},
		"crosses_zero":    {eur(1, 0), eur(-1, -1), eur(0, -1)},
		"borrows":         {eur(5, 0), eur(0, -1), eur(4, 999_999_999)},
		"negative_carry":  {eur(-1, -999_999_999), eur(0, -1), eur(-2, 0)},
		"largest":         {eur(math.MaxInt64, 0), eur(0, 999_999_999), eur(math.MaxInt64, 999_999_999)},
		"back_into_range": {eur(math.MaxInt64, 1), eur(-1, -2), eur(math.MaxInt64-2, 999_999_999)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			sum, err := money.Add(test.a, test.b)
			if diff := cmp.Diff(test.sum, sum, protocmp.Transform()); diff != "" || err != nil {
				t.Errorf("sum, %v (-want +got):\n%s", err, diff)
			}

			back, err := money.Sub(test.sum, test.b)
			if diff := cmp.Diff(test.a, back, protocmp.Transform()); diff != "" || err != nil {
				t.Errorf("difference, %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()

	largest := eur(math.MaxInt64, 999_999_999)
	if _, err := money.Add(largest, eur(0, 1)); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("sum: %v", err)
	}

	if _, err := money.Mul(largest, 2); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("product: %v", err)
	}

	if _, err := money.Compare(eur(1, 0), money.Zero("USD")); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("comparison: %v", err)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()

	for want, m := range map[string]*moneyv1.Money{
		"0.00 EUR": eur(0, 0), "-0.05 EUR": eur(0, -50_000_000), "1.000000001 EUR": eur(1, 1), "-3.10 EUR": eur(-3, -100_000_000),
	} {
		if got := money.Format(m); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// isValid reports whether an amount keeps the rules of its proto, and its parts have one sign.
func isValid(m *moneyv1.Money) bool {
	return validate.Request(m) == nil && (m.GetUnits() == 0 || m.GetNanos() == 0 || (m.GetUnits() > 0) == (m.GetNanos() > 0))
}

func TestIsNegative(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		m    *moneyv1.Money
		want bool
	}{
		"nothing": {eur(0, 0), false}, "positive": {eur(1, 1), false}, "units": {eur(-1, 0), true}, "nanos": {eur(0, -1), true},
		"signs_differ": {eur(1, -1), true}, "signs_differ_otherwise": {eur(-1, 1), true},
	} {
		if got := money.IsNegative(row.m); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzArithmetic(f *testing.F) {
	f.Add(int64(1), int32(5), int64(-7), int32(-999_999_999), int64(3))
	f.Fuzz(func(t *testing.T, aUnits int64, aNanos int32, bUnits int64, bNanos int32, quantity int64) {
		a, b := eur(aUnits, aNanos), eur(bUnits, bNanos)

		if !isValid(a) || !isValid(b) {
			t.Skip("not amounts")
		}

		if product, err := money.Mul(a, quantity); err == nil && !isValid(product) {
			t.Errorf("%v * %d = %v", a, quantity, product)
		}

		sum, err := money.Add(a, b)
		if err != nil {
			t.Skip("too large")
		}

		if !isValid(sum) {
			t.Errorf("%v + %v = %v", a, b, sum)
		}

		back, err := money.Sub(sum, b)
		if diff := cmp.Diff(a, back, protocmp.Transform()); diff != "" || err != nil {
			t.Errorf("back, %v (-want +got):\n%s", err, diff)
		}
	})
}
