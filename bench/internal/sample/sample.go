// Package sample holds the messages that the benchmark passes around. Every field is set, so that it makes no difference to the
// work whether a gateway writes unset fields.
package sample

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

const (
	// Issuer is that of the tokens. The top-level domain "invalid" belongs to nobody (RFC 2606).
	Issuer = "https://bench.portico.invalid"
	// Audience is that of the tokens.
	Audience = "portico"
	// Algorithm signs the tokens.
	Algorithm = "RS256"
	// UserID is the one user that there is, and the subject of the tokens.
	UserID = "alice"
	// ListLength is how many orders are in a list that is asked for a whole page.
	ListLength = 100
	// DashboardOrders is how many orders a dashboard is asked for.
	DashboardOrders = 5
	// StreamLength is how many messages a stream has.
	StreamLength = 1000
	// epoch is 2026-03-01T12:00:00Z.
	epoch = 1772366400
)

func at(offset time.Duration) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(epoch, 123_000_000).Add(offset))
}

// User is an account, of about 280 bytes in JSON.
func User() *userv1.User {
	return &userv1.User{
		UserId: UserID, Email: "alice@example.com", DisplayName: "Alice Liddell", Status: userv1.UserStatus_USER_STATUS_ACTIVE,
		Phone: new("+4915112345678"), Labels: map[string]string{"plan": "gold", "team": "checkout"},
		CreateTime: at(0), UpdateTime: at(time.Hour),
	}
}

// Profile is what the user says about themselves, of about 480 bytes in JSON.
func Profile() *profilev1.Profile {
	return &profilev1.Profile{
		UserId: UserID, Bio: "Curiouser and curiouser.", AvatarUrl: "https://cdn.example.com/avatars/alice.png",
		Locale: "de-AT", TimeZone: "Europe/Vienna",
		ShippingAddress: &profilev1.Address{
			Lines: []string{"Stephansplatz 1", "Top 7"}, PostalCode: "1010", City: "Wien", CountryCode: "AT",
		},
		Interests: []string{"croquet", "tea", "chess"}, Preferences: map[string]string{"currency": "EUR", "newsletter": "weekly"},
		BirthYear: new(int32(1990)), LoyaltyTier: profilev1.LoyaltyTier_LOYALTY_TIER_GOLD, LoyaltyPoints: 1234,
		UpdateTime: at(time.Minute),
	}
}

// Orders are a page of so many orders, of about 800 bytes each in JSON.
func Orders(n int) *orderv1.ListOrdersResponse {
	page := &orderv1.ListOrdersResponse{NextPageToken: "b3JkXzAwMDA", TotalSize: 1000}
	for i := range n {
		page.Orders = append(page.Orders, Order(i))
	}

	return page
}

// Order is the one of that number.
func Order(i int) *orderv1.Order {
	created := at(-time.Duration(i) * time.Hour)

	return &orderv1.Order{
		OrderId: fmt.Sprintf("ord_%026d", i), UserId: UserID, Status: orderv1.OrderStatus_ORDER_STATUS_PAID,
		Items:         items(),
		Total:         &moneyv1.Money{CurrencyCode: "EUR", Units: 129, Nanos: 970_000_000},
		TotalQuantity: 3, Note: new("Please ring twice."), Labels: map[string]string{"channel": "web"},
		CancelReason: new("none"), CreateTime: created, UpdateTime: created,
	}
}

func items() []*orderv1.LineItem {
	return []*orderv1.LineItem{
		{
			Sku: "CUP-0042", Title: "Tea cup, white", Quantity: 2,
			UnitPrice:  &moneyv1.Money{CurrencyCode: "EUR", Units: 14, Nanos: 990_000_000},
			Attributes: map[string]string{"color": "white", "size": "M"},
		},
		{
			Sku: "CLK-0007", Title: "Pocket watch", Quantity: 1,
			UnitPrice:  &moneyv1.Money{CurrencyCode: "EUR", Units: 99, Nanos: 990_000_000},
			Attributes: map[string]string{"metal": "silver"},
		},
	}
}

// CreateOrder is a request for an order, of about 600 bytes in JSON.
func CreateOrder() *orderv1.CreateOrderRequest {
	return &orderv1.CreateOrderRequest{
		UserId: UserID, Items: items(),
		Note:   new("Please ring twice, and leave it with the neighbours if nobody is at home."),
		Labels: map[string]string{"campaign": "spring", "channel": "web", "device": "phone"},
	}
}

// Change is the message of that number in a stream.
func Change(i int) *orderv1.WatchOrderResponse {
	return &orderv1.WatchOrderResponse{
		OrderId: Order(0).GetOrderId(), Sequence: int64(i + 1), Status: orderv1.OrderStatus_ORDER_STATUS_PAID,
		PreviousStatus: orderv1.OrderStatus_ORDER_STATUS_PENDING, ChangeTime: at(0),
	}
}

// Dashboard is the user with their newest orders and their profile.
func Dashboard() *dashboardv1.Dashboard {
	return &dashboardv1.Dashboard{User: User(), Orders: Orders(DashboardOrders).GetOrders(), Profile: Profile()}
}
