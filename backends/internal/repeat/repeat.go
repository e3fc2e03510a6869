// Package repeat lets a request that is made twice take effect once (AIP-155): what it made is noted under its request_id, in the
// transaction that makes it, and whoever makes it again is given that.
//
// It does not keep answers: a resource that has changed since is answered as it is now. Nothing is ever forgotten.
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

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	"github.com/portico-gateway/portico/backends/internal/validate"
)

// maxID bounds a request_id, in characters.
const maxID = 300

// Request is a request with a name of its own. With an empty ID it has none, and nothing is found or noted.
type Request struct {
	// Subject is who makes it. The names of one caller are not those of another.
	Subject string
	// Method is the RPC: "CreateOrder".
	Method string
	// ID is its request_id.
	ID string
	// Message is what it says. That it has the request_id in it does no harm.
	Message proto.Message
}

// Check notes a violation if the request_id is too long.
func (r Request) Check(v *fault.Violations) {
	validate.Text(v, "request_id", r.ID, maxID)
}

// Find gives the resource that the request has made before, "" if it is new. That it names another request, of the same caller, is
// INVALID_ARGUMENT. Only within a transaction that holds the write lock does it stay new.
func (r Request) Find(ctx context.Context, db sqlstore.Queryer) (resource string, err error) {
	if r.ID == "" {
		return "", nil
	}

	var stored []byte

	err = db.QueryRowContext(ctx,
		`SELECT request, resource FROM requests WHERE subject = ? AND method = ? AND request_id = ?`,
		r.Subject, r.Method, r.ID).Scan(&stored, &resource)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("read request: %w", err)
	}

	before := r.Message.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(stored, before); err != nil {
		return "", fmt.Errorf("decode stored request: %w", err)
	}

	if !proto.Equal(before, r.Message) {
		var v fault.Violations
		v.Addf("request_id", "was that of another request, which differs from this one")

		return "", v.Err()
	}

	return resource, nil
}

// Note stores what the request makes, in the transaction that makes it and in which Find found nothing.
func (r Request) Note(ctx context.Context, tx *sql.Tx, resource string) error {
	if r.ID == "" {
		return nil
	}

	request, err := proto.Marshal(r.Message)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}

	_, err = tx.ExecContext(ctx,
		`INSERT INTO requests (subject, method, request_id, request, resource, create_time) VALUES (?, ?, ?, ?, ?, ?)`,
		r.Subject, r.Method, r.ID, request, resource, sqlstore.Micros(sqlstore.Now()))
	if err != nil {
		return fmt.Errorf("note request: %w", err)
	}

	return nil
}
