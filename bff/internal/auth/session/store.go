package session

import (
	"context"
	"errors"
	"time"
)

// Store has the sessions, sealed. Several gateways may share one. Its methods are safe for concurrent use and may block; they end
// with the context. An error other than ErrNone means that nothing is known about the session.
type Store interface {
	// Create stores a session. It returns ErrEnded, and there is none, if DeleteAll has ended those with one of its labels since
	// its login began. Of the sessions with the first label, only the PerSubject newest stay.
	Create(ctx context.Context, s Entry) error
	// Load returns a session and prolongs it: it ends after idle without another Load, but not later than its Until. Zero does not
	// prolong it. It returns ErrNone if there is no such session, or not any more.
	Load(ctx context.Context, key string, idle time.Duration) (Stored, error)
	// Replace replaces the content of a session that still has the version, and nothing else of it. Otherwise it returns ErrNone.
	Replace(ctx context.Context, key string, version int64, data []byte) error
	// Delete ends a session. It is no error if there is none.
	Delete(ctx context.Context, key string) error
	// DeleteAll ends all sessions with the label, and returns how many. Logins that have begun before make none with it any
	// more, for EndedLife. A session that cannot be ended does not keep the others from it; then it returns an error, and may be
	// repeated.
	DeleteAll(ctx context.Context, label string) (int, error)
	// Claim reports whether the owner has the name, now or already, which no other gets until it is released or the lease is over.
	// The lease begins again if the owner repeats the claim.
	Claim(ctx context.Context, name, owner string, lease time.Duration) (bool, error)
	// Release gives up a name, if the owner still has it.
	Release(ctx context.Context, name, owner string) error
}

var (
	// ErrNone reports that there is no such session.
	ErrNone = errors.New("no such session")
	// ErrEnded reports that the sessions of the same user, or of the same session of the provider, were ended during the login.
	ErrEnded = errors.New("sessions like this were ended since the login began")
)

const (
	// EndedLife is how long a store remembers when the sessions with a label were ended. A login takes less.
	EndedLife = loginLife + 5*time.Minute
	// PerSubject is how many sessions a user may have: more than anyone has browsers.
	PerSubject = 100
)

// Entry is a session to be stored.
type Entry struct {
	// Key is a hash of the session's id, in base64url: whoever reads the store cannot use the session.
	Key string
	// Data is sealed.
	Data []byte
	// Idle is how long it lasts without being loaded, and Lifetime how long at most.
	Idle, Lifetime time.Duration
	// Labels are what DeleteAll finds it by, as hashes in base64url. The first is that of the user.
	Labels []string
	// Age is how long ago its login began.
	Age time.Duration
}

// Stored is a session as it is stored. Data must not be changed.
type Stored struct {
	Data []byte
	// Version is another one after each Replace.
	Version int64
	// IdleUntil is when it ends unless it is prolonged, and Until when it ends in any case.
	IdleUntil, Until time.Time
}
