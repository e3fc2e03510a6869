// Package demo names what the demo data set consists of, so that the databases of the services, which are separate files, agree.
//
// What the things look like is up to the service that stores them.
package demo

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Users.
const (
	Alice = "alice"
	Bob   = "bob"
	Admin = "admin"
)

// Orders, oldest first for each user.
const (
	AliceDelivered = "ord_01kgn4v2c8q3r7m5x9d0w6t1ba"
	AliceCancelled = "ord_01khf9s7d4n2p8k6v3c5z0y1ea"
	AliceShipped   = "ord_01kj2wq5m7t9r4b8x6h3g1f0ca"
	AlicePending   = "ord_01kjr6z8v3d5k7n9p2s4w1m0xa"
	BobPaid        = "ord_01kh7b3c9f6g2j8m4q0r5t1vwb"
	BobPending     = "ord_01kjkx4n2p7s9w5y3z8d6c0aeb"
)

// Payments.
const (
	AliceDeliveredPayment = "pay_01kgn50w4b7d9f2h6k8m3p1qra"
	AliceShippedPayment   = "pay_01kj2wtz6c8e3g5j7n9r1s4vxa"
	AliceShippedRest      = "pay_01kj2wv4n8p1t3w6z9b2d5f7ha"
	BobPayment            = "pay_01kh7b6d2k4m8q1s5v7x9z3bfb"
)

// Notifications.
const (
	AliceWelcome      = "ntf_01kfy8r4t6w9z2b5d7g1j3m8pa"
	AliceDeliveryNote = "ntf_01kgqd2f5h8k3n6r9t1w4y7caa"
	AliceRefundNote   = "ntf_01kgsm7p9s2v4x6z8b1d3f5hka"
	AliceShippingNote = "ntf_01kj5c1e4g7j9m2q5s8v3x6zda"
	BobPaymentNote    = "ntf_01kh7b7f3k6n8r2t4w9y1a5cgb"
)

// At is a moment of the year 2026, in UTC.
func At(month time.Month, day, hour, minute int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, month, day, hour, minute, 0, 0, time.UTC))
}
