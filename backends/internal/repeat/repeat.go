// Package repeat lets a request that is made twice take effect once (AIP-155): what it made is noted under its request_id, in the
// transaction that makes it, and the same request is answered with that when it is made again.
//
// It does not keep responses: a resource that has changed since is returned as it is now. Nothing is ever forgotten.
//
// The database of the service needs the table "requests":
//
//	subject     TEXT NOT NULL
//	method      TEXT NOT NULL
//	request_id  TEXT NOT NULL
//	request     BLOB NOT NULL -- as protobuf
//	resource    TEXT NOT NULL
//	create_time INTEGER NOT NULL
//	PRIMARY KEY (subject, method, request_id)
package repeat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

// Request is the request message of an RPC. Its request_id is a name that its caller chose for it; without one it is always new.
type Request interface {
	proto.Message
	GetRequestId() string
}

// Load reads a resource by its id.
type Load[T any] func(ctx context.Context, db sqlstore.Queryer, id string) (T, error)

// Once carries out a request in a transaction, unless the caller has made the same one before: then it returns the resource of that
// time, as it is now. Work returns the resource and its id. That a request_id names another request is INVALID_ARGUMENT.
func Once[T any](
	ctx context.Context, db *sql.DB, req Request, load Load[T], work func(tx *sql.Tx) (resource T, id string, err error),
) (resource T, err error) {
	err = sqlstore.Tx(ctx, db, func(tx *sql.Tx) error {
		var (
			id    string
			found bool
		)

		if resource, found, err = Earlier(ctx, tx, req, load); err != nil || found {
			return err
		}

		if resource, id, err = work(tx); err != nil {
			return err
		}

		return note(ctx, tx, req, id)
	})

	return resource, err
}

// Earlier returns the resource of the same request, if the caller has made it before. It is for what need not be done again before
// Once, such as asking a peer: only within Once does a new request stay new.
func Earlier[T any](ctx context.Context, db sqlstore.Queryer, req Request, load Load[T]) (resource T, found bool, err error) {
	id, err := find(ctx, db, req)
	if err != nil || id == "" {
		return resource, false, err
	}

	resource, err = load(ctx, db, id)

	return resource, err == nil, err
}

// find returns the id of what the request has made before, "" if it is new.
func find(ctx context.Context, db sqlstore.Queryer, req Request) (id string, err error) {
	if req.GetRequestId() == "" {
		return "", nil
	}

	var stored []byte

	err = db.QueryRowContext(ctx,
		`SELECT request, resource FROM requests WHERE subject = ? AND method = ? AND request_id = ?`,
		caller.From(ctx).Subject, method(req), req.GetRequestId()).Scan(&stored, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("read request: %w", err)
	}

	before := req.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(stored, before); err != nil {
		return "", fmt.Errorf("decode stored request: %w", err)
	}

	if !proto.Equal(before, req) {
		var v fault.Violations
		v.Addf("request_id", "was that of another request, which differs from this one")

		return "", v.Err()
	}

	return id, nil
}

func note(ctx context.Context, tx *sql.Tx, req Request, id string) error {
	if req.GetRequestId() == "" {
		return nil
	}

	request, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}

	_, err = tx.ExecContext(ctx,
		`INSERT INTO requests (subject, method, request_id, request, resource, create_time) VALUES (?, ?, ?, ?, ?, ?)`,
		caller.From(ctx).Subject, method(req), req.GetRequestId(), request, id, sqlstore.Micros(sqlstore.Now()))
	if err != nil {
		return fmt.Errorf("note request: %w", err)
	}

	return nil
}

// method is the name of the RPC, "CreateOrder": each has a request message of its own.
func method(req Request) string {
	return strings.TrimSuffix(string(req.ProtoReflect().Descriptor().Name()), "Request")
}
