package mock

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// addUp makes totals those of what is listed beside them: "total" of the prices and "total_quantity" of the quantities. What the
// request said stays.
func addUp(msg protoreflect.Message, given func(protoreflect.FieldDescriptor) bool) {
	fields := msg.Descriptor().Fields()

	for i := range fields.Len() {
		field := fields.Get(i)
		if !field.IsList() || field.Message() == nil {
			continue
		}

		price, quantity := priced(field.Message())
		if price == nil {
			continue
		}

		sum, count := sums(msg.Get(field).List(), price, quantity)

		if total := fields.ByName("total"); total != nil && total.Message() == price.Message() && !total.IsList() && !given(total) {
			setMoney(msg.Mutable(total).Message(), sum)
		}

		if total := fields.ByName("total_quantity"); total != nil && isWhole(total) && !given(total) {
			msg.Set(total, wholeValue(total, count))
		}
	}
}

// priced are the fields for the price and the number of what is bought, nil where the message is not about that.
func priced(md protoreflect.MessageDescriptor) (price, quantity protoreflect.FieldDescriptor) {
	price, quantity = md.Fields().ByName("unit_price"), md.Fields().ByName("quantity")
	if price == nil || price.Message() == nil || !isMoney(price.Message()) || quantity == nil || !isWhole(quantity) {
		return nil, nil
	}

	return price, quantity
}

const nanosPerUnit = 1_000_000_000

// cost is an amount in billionths, which is exact for what is made up.
func cost(money protoreflect.Message) int64 {
	fields := money.Descriptor().Fields()

	return money.Get(fields.ByName("units")).Int()*nanosPerUnit + money.Get(fields.ByName("nanos")).Int()
}

func sums(items protoreflect.List, price, quantity protoreflect.FieldDescriptor) (sum, count int64) {
	for i := range items.Len() {
		n := items.Get(i).Message().Get(quantity).Int()
		sum, count = sum+n*cost(items.Get(i).Message().Get(price).Message()), count+n
	}

	return sum, count
}

func setMoney(money protoreflect.Message, amount int64) {
	fields := money.Descriptor().Fields()
	money.Set(fields.ByName("units"), protoreflect.ValueOfInt64(amount/nanosPerUnit))
	money.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(amount%nanosPerUnit)))
}

// currencyOf is that of the first amount in a message, empty if there is none.
func currencyOf(msg protoreflect.Message) string {
	fields := msg.Descriptor().Fields()
	if isMoney(msg.Descriptor()) {
		return msg.Get(fields.ByName("currency_code")).String()
	}

	for i := range fields.Len() {
		field := fields.Get(i)

		switch {
		case field.Message() == nil || field.IsMap() || !msg.Has(field):
		case !field.IsList():
			if found := currencyOf(msg.Get(field).Message()); found != "" {
				return found
			}
		default:
			for j := range msg.Get(field).List().Len() {
				if found := currencyOf(msg.Get(field).List().Get(j).Message()); found != "" {
					return found
				}
			}
		}
	}

	return ""
}

// isMoney tells whether a message has the shape of google.type.Money.
func isMoney(md protoreflect.MessageDescriptor) bool {
	const shape = 3

	fields := md.Fields()
	if fields.Len() != shape {
		return false
	}

	for name, kind := range map[protoreflect.Name]protoreflect.Kind{
		"currency_code": protoreflect.StringKind, "units": protoreflect.Int64Kind, "nanos": protoreflect.Int32Kind,
	} {
		if field := fields.ByName(name); field == nil || field.Kind() != kind || field.IsList() {
			return false
		}
	}

	return true
}

func isWhole(field protoreflect.FieldDescriptor) bool {
	return !field.IsList() && (field.Kind() == protoreflect.Int32Kind || field.Kind() == protoreflect.Int64Kind)
}

func wholeValue(field protoreflect.FieldDescriptor, n int64) protoreflect.Value {
	if field.Kind() == protoreflect.Int32Kind {
		return protoreflect.ValueOfInt32(int32(n))
	}

	return protoreflect.ValueOfInt64(n)
}
