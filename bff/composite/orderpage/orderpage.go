// Package orderpage implements orderpage.v1: one order with its payments, the notifications about it, and the buyer's profile.
package orderpage

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/composite"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

const (
	maxNotifications = 20
	// batchSize is how many payments BatchGetPayments takes, and how many an order has at most.
	batchSize = 100
)

type service struct {
	orderpagev1.UnimplementedOrderPageServiceServer

	orders        orderv1.OrderServiceClient
	payments      paymentv1.PaymentServiceClient
	notifications notificationv1.NotificationServiceClient
	profiles      profilev1.ProfileServiceClient
}

// New returns the service over connections to the upstreams order, payment, notification and profile. It is safe for concurrent
// use.
func New(connect func(upstream string) (grpc.ClientConnInterface, error)) (orderpagev1.OrderPageServiceServer, error) {
	order, orderErr := connect("order")
	payment, paymentErr := connect("payment")
	notification, notificationErr := connect("notification")
	profile, profileErr := connect("profile")

	if err := errors.Join(orderErr, paymentErr, notificationErr, profileErr); err != nil {
		return nil, fmt.Errorf("orderpage: %w", err)
	}

	return &service{
		orders:        orderv1.NewOrderServiceClient(order),
		payments:      paymentv1.NewPaymentServiceClient(payment),
		notifications: notificationv1.NewNotificationServiceClient(notification),
		profiles:      profilev1.NewProfileServiceClient(profile),
	}, nil
}

// GetOrderPage returns the page of an order that the caller may see, as the order service decides.
func (s *service) GetOrderPage(ctx context.Context, req *orderpagev1.GetOrderPageRequest) (*orderpagev1.OrderPage, error) {
	page := &orderpagev1.OrderPage{}

	order := composite.Required("order", func(ctx context.Context) (err error) {
		page.Order, err = s.orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: req.GetOrderId()})

		return err
	})
	payments := composite.Optional("payments", func(ctx context.Context) (err error) {
		page.Payments, err = s.paymentsOf(ctx, page.GetOrder())

		return err
	})
	notifications := composite.Optional("notifications", func(ctx context.Context) error {
		list, err := s.notifications.ListNotifications(ctx, &notificationv1.ListNotificationsRequest{
			UserId: page.GetOrder().GetUserId(), OrderId: req.GetOrderId(), PageSize: maxNotifications,
		})
		page.Notifications = list.GetNotifications()

		return err
	})
	buyer := composite.Optional("buyer", func(ctx context.Context) (err error) {
		page.Buyer, err = s.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: page.GetOrder().GetUserId()})

		return err
	})

	return page, composite.Run(ctx, page, order, payments.After(order), notifications.After(order), buyer.After(order))
}

// paymentsOf reads the payments of an order one by one. The gateway makes one call of them: see the option "batch" of GetPayment.
func (s *service) paymentsOf(ctx context.Context, order *orderv1.Order) ([]*paymentv1.Payment, error) {
	payments := make([]*paymentv1.Payment, len(order.GetPaymentIds()))

	err := composite.Each(ctx, order.GetPaymentIds(), batchSize, func(ctx context.Context, i int, id string) (err error) {
		payments[i], err = s.payments.GetPayment(ctx, &paymentv1.GetPaymentRequest{PaymentId: id})

		return err
	})
	if err != nil {
		return nil, err
	}

	return payments, nil
}
