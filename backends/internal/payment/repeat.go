package payment

import (
	"context"
	"database/sql"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// message is a request that has a request_id.
type message interface {
	proto.Message
	GetRequestId() string
}

func named(ctx context.Context, method string, req message) repeat.Request {
	return repeat.Request{Subject: caller.From(ctx).Subject, Method: method, ID: req.GetRequestId(), Message: req}
}

// repeated gives the payment that the request has made or changed before, nil if it is new.
func repeated(ctx context.Context, db sqlstore.Queryer, named repeat.Request) (*paymentv1.Payment, error) {
	paymentID, err := named.Find(ctx, db)
	if err != nil || paymentID == "" {
		return nil, err
	}

	return load(ctx, db, paymentID)
}

// once lets work run in a transaction and notes the payment that it names, unless the request was through before: then it
// gives the payment of that time, as it is now.
func (s *Service) once(
	ctx context.Context, named repeat.Request, work func(tx *sql.Tx) (paymentID string, err error),
) (before *paymentv1.Payment, err error) {
	err = sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if before, err = repeated(ctx, tx, named); err != nil || before != nil {
			return err
		}

		paymentID, err := work(tx)
		if err != nil {
			return err
		}

		return named.Note(ctx, tx, paymentID)
	})
	if err != nil {
		return nil, err
	}

	if before == nil {
		s.box.Wake()
	}

	return before, nil
}
