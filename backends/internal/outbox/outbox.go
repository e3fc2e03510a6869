// Package outbox lets a service tell another one of a change, reliably: the message is stored in the transaction that makes the
// change, and delivered afterwards, again and again until it is accepted.
//
// A message can arrive twice (at least once); receivers tell by its id. Messages of one topic arrive in order, also if several
// processes share the database; topics do not wait for one another. It is not for calls whose answer matters.
//
// The database of the service needs the table "outbox":
//
//	seq         INTEGER PRIMARY KEY AUTOINCREMENT
//	id          TEXT NOT NULL UNIQUE
//	topic       TEXT NOT NULL
//	payload     BLOB NOT NULL
//	request_id  TEXT NOT NULL
//	create_time INTEGER NOT NULL
//	attempts    INTEGER NOT NULL DEFAULT 0
//	due_time    INTEGER NOT NULL DEFAULT 0 -- not to be attempted before
//	parked_time INTEGER                    -- set when nobody will try again
//	last_error  TEXT NOT NULL DEFAULT ''
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

// ErrRefused in the chain of a Handler's error says that trying again cannot help, as some gRPC codes do.
var ErrRefused = errors.New("message refused")

// Message is what is to be delivered.
type Message struct {
	// ID is the same for every attempt: 26 characters, as of package ident.
	ID string
	// Payload is what Add was given.
	Payload []byte
	// RequestID is of the request that caused the change.
	RequestID string
}

// Handler delivers a message. Its error decides what follows: see Run. It must be safe for use beside other handlers.
type Handler func(ctx context.Context, m Message) error

// Outbox is the outbox of one database. It is safe for concurrent use.
type Outbox struct {
	db     *sql.DB
	logger *slog.Logger
	lanes  map[string]*lane
}

// New builds the outbox for the topics that handlers are given for. Run delivers.
func New(db *sql.DB, logger *slog.Logger, handlers map[string]Handler) *Outbox {
	o := &Outbox{db: db, logger: logger, lanes: make(map[string]*lane, len(handlers))}
	for topic, handle := range handlers {
		o.lanes[topic] = &lane{
			db:     db,
			logger: logger.With("topic", topic),
			topic:  topic,
			handle: handle,
			wake:   make(chan struct{}, 1),
		}
	}

	return o
}

// Add stores a message in the transaction of the change that it tells of. Call Wake after the commit.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, topic string, payload []byte) error {
	if o.lanes[topic] == nil {
		return fmt.Errorf("outbox: no handler for topic %q", topic)
	}

	_, err := tx.ExecContext(ctx,
		`INSERT INTO outbox (id, topic, payload, request_id, create_time) VALUES (?, ?, ?, ?, ?)`,
		ident.Random(), topic, payload, caller.From(ctx).RequestID, sqlstore.Micros(sqlstore.Now()))
	if err != nil {
		return fmt.Errorf("store %s message: %w", topic, err)
	}

	return nil
}

// Wake makes Run look at once. It never blocks.
func (o *Outbox) Wake() {
	for _, l := range o.lanes {
		select {
		case l.wake <- struct{}{}:
		default: // It will look anyway.
		}
	}
}

// Run delivers until ctx ends, starting with what an earlier process left. A message that was accepted is deleted. One that its
// receiver will never accept (INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, PERMISSION_DENIED, ErrRefused), or has failed to
// accept twenty times, is logged and parked: it stays in the table, and the next one has its turn. After any other error it is
// tried again, ever more slowly. While the receiver cannot be reached (UNAVAILABLE) nothing is parked: that is not the message's
// fault. A parked message is tried again once an operator sets its parked_time to NULL.
func (o *Outbox) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, l := range o.lanes {
		running.Go(func() { l.run(ctx) })
	}

	running.Wait()
}
