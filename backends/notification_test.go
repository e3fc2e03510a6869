package backends_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func TestCreateNotificationIsIdempotent(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	writer := as(t, "service:test", "notifications:write")
	req := &notificationv1.CreateNotificationRequest{
		NotificationId: "ntf_1", UserId: "bob", Kind: notificationv1.NotificationKind_NOTIFICATION_KIND_ACCOUNT, Title: "first",
	}
	first := must[*notificationv1.Notification](t)(w.notifications.CreateNotification(writer, req))

	req.Title = "second"

	again := must[*notificationv1.Notification](t)(w.notifications.CreateNotification(writer, req))
	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
		t.Errorf("the second write changed it:\n%s", diff)
	}

	_, err := w.notifications.CreateNotification(as(t, "bob", "notifications:admin"), req)
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.notifications.CreateNotification(writer, &notificationv1.CreateNotificationRequest{})
	wantFields(t, err, "notification_id", "user_id", "kind", "title")
}

func TestListAndReadNotifications(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	list := func(req *notificationv1.ListNotificationsRequest) *notificationv1.ListNotificationsResponse {
		t.Helper()

		req.UserId = "alice"

		return must[*notificationv1.ListNotificationsResponse](t)(w.notifications.ListNotifications(as(t, "alice"), req))
	}

	unread := list(&notificationv1.ListNotificationsRequest{UnreadOnly: true, PageSize: 1})
	if unread.GetUnreadCount() != 2 || unread.GetNextPageToken() == "" {
		t.Fatalf("unread: %v", unread)
	}

	newest := unread.GetNotifications()[0].GetNotificationId()
	if all := list(&notificationv1.ListNotificationsRequest{}); len(all.GetNotifications()) != 4 || all.GetUnreadCount() != 2 {
		t.Errorf("all: %v", all)
	}

	mark := &notificationv1.MarkNotificationReadRequest{UserId: "alice", NotificationId: newest}
	first := must[*notificationv1.Notification](t)(w.notifications.MarkNotificationRead(as(t, "alice"), mark))
	again := must[*notificationv1.Notification](t)(w.notifications.MarkNotificationRead(as(t, "alice"), mark))

	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" || first.GetReadTime() == nil {
		t.Errorf("marked twice (-first +again):\n%s", diff)
	}

	rest := list(&notificationv1.ListNotificationsRequest{UnreadOnly: true, PageToken: unread.GetNextPageToken()})
	if len(rest.GetNotifications()) != 1 || rest.GetUnreadCount() != 1 || rest.GetNextPageToken() != "" {
		t.Errorf("the second page: %v", rest)
	}

	_, err := w.notifications.ListNotifications(as(t, "alice"),
		&notificationv1.ListNotificationsRequest{UserId: "alice", PageToken: unread.GetNextPageToken()})
	wantFields(t, err, "page_token") // It was made for the unread ones.

	_, err = w.notifications.MarkNotificationRead(as(t, "bob"),
		&notificationv1.MarkNotificationReadRequest{UserId: "bob", NotificationId: newest})
	wantCode(t, err, codes.NotFound)

	_, err = w.notifications.ListNotifications(as(t, "bob"), &notificationv1.ListNotificationsRequest{UserId: "alice"})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.notifications.ListNotifications(as(t, "staff", "notifications:admin"),
		&notificationv1.ListNotificationsRequest{UserId: "alice"})
	wantCode(t, err, codes.OK)
}

func TestListNotificationsOfAnOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	list := func(req *notificationv1.ListNotificationsRequest) (*notificationv1.ListNotificationsResponse, error) {
		req.UserId = "alice"

		return w.notifications.ListNotifications(as(t, "alice"), req)
	}
	titles := func(resp *notificationv1.ListNotificationsResponse) (all []string) {
		for _, n := range resp.GetNotifications() {
			all = append(all, n.GetTitle())
		}

		return all
	}

	first := must[*notificationv1.ListNotificationsResponse](t)(
		list(&notificationv1.ListNotificationsRequest{OrderId: aliceDelivered, PageSize: 1}))
	rest := must[*notificationv1.ListNotificationsResponse](t)(
		list(&notificationv1.ListNotificationsRequest{OrderId: aliceDelivered, PageToken: first.GetNextPageToken()}))

	want := []string{"You get money back", "Your order was delivered"}
	if diff := cmp.Diff(want, append(titles(first), titles(rest)...)); diff != "" || rest.GetNextPageToken() != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}

	if first.GetUnreadCount() != 2 {
		t.Errorf("the count of unread ones is of the user: %d", first.GetUnreadCount())
	}

	unread := must[*notificationv1.ListNotificationsResponse](t)(
		list(&notificationv1.ListNotificationsRequest{OrderId: aliceDelivered, UnreadOnly: true}))
	if diff := cmp.Diff(want[:1], titles(unread)); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}

	none := must[*notificationv1.ListNotificationsResponse](t)(list(&notificationv1.ListNotificationsRequest{OrderId: bobPending}))
	if len(none.GetNotifications()) != 0 {
		t.Errorf("of another order: %v", none)
	}

	_, err := list(&notificationv1.ListNotificationsRequest{OrderId: aliceShipped, PageToken: first.GetNextPageToken()})
	wantFields(t, err, "page_token") // It was made for another order.
}

func TestNotificationsSurviveAnOutageAndARestart(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	w := startWorld(t, dir)

	if err := w.fleet.StopInstance("notification"); err != nil {
		t.Fatal(err)
	}

	id := w.placeOrder(t).GetOrderId()
	// Paid in full although nobody can be notified: the two must not wait for each other.
	if _, err := w.pay(t, id, euros(10, 0)); err != nil {
		t.Fatal(err)
	}

	eventually(t, "the order is paid", func() bool { return w.orderStatus(t, id) == paid })

	if err := w.fleet.Close(); err != nil {
		t.Fatal(err)
	}

	w = startWorld(t, dir)
	must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: id}))
	eventually(t, "alice is told", func() bool { return len(w.notified(t, "alice", id)) == 5 }) // Placed, paid, payment, cancelled, refund.

	var statuses []string

	for _, n := range w.notified(t, "alice", id) {
		if n.GetKind() == notificationv1.NotificationKind_NOTIFICATION_KIND_ORDER {
			statuses = append(statuses, n.GetData()["status"])
		}
	}

	want := []string{"ORDER_STATUS_CANCELLED", "ORDER_STATUS_PAID", "ORDER_STATUS_PENDING"}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
}

func TestNotificationsFollowOnceTheServiceIsBack(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	if err := w.fleet.StopInstance("notification"); err != nil {
		t.Fatal(err)
	}

	id := w.placeOrder(t).GetOrderId()

	if err := w.fleet.StartInstance("notification"); err != nil {
		t.Fatal(err)
	}

	eventually(t, "alice is told", func() bool { return len(w.notified(t, "alice", id)) == 1 })
}
