// Package profile is the profile service: it keeps what users say about themselves, and their pictures.
//
// It does not check that the account exists: the caller has one, or acts for somebody who has.
package profile

import (
	"context"
	"database/sql"
	"embed"
	"errors"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/fieldmask"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Migrations make the database that New needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const adminScope = "users:admin"

// Service implements profilev1.ProfileServiceServer. It is safe for concurrent use, also by several servers.
type Service struct {
	profilev1.UnimplementedProfileServiceServer

	db *sql.DB
}

// New builds the service over its database, which stays the caller's.
func New(db *sql.DB) *Service {
	return &Service{db: db}
}

// GetProfile reads a user's profile.
func (s *Service) GetProfile(ctx context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	p, err := load(ctx, s.db, req.GetUserId())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("user %q has no profile", req.GetUserId())
	}

	return p, err
}

// UpdateProfile changes the fields that the mask names and creates the profile where there is none.
func (s *Service) UpdateProfile(ctx context.Context, req *profilev1.UpdateProfileRequest) (*profilev1.Profile, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	var updated *profilev1.Profile

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		updated, err = load(ctx, tx, req.GetUserId())
		if errors.Is(err, sql.ErrNoRows) {
			updated, err = blank(req.GetUserId()), nil
		}

		if err != nil {
			return err
		}

		if err := fieldmask.Update(updated, req.GetProfile(), req.GetUpdateMask(), changeable()); err != nil {
			return err
		}

		if err := check(updated); err != nil {
			return err
		}

		updated.UpdateTime = sqlstore.Now()

		return upsert(ctx, tx, updated)
	})
	if err != nil {
		return nil, err
	}

	return updated, nil
}

// blank is the profile of a user who has said nothing yet.
func blank(userID string) *profilev1.Profile {
	return &profilev1.Profile{UserId: userID, LoyaltyTier: profilev1.LoyaltyTier_LOYALTY_TIER_BASIC}
}

// authorize checks the caller before anything is looked up, so that nobody learns which profiles exist.
func authorize(ctx context.Context, userID string) error {
	return caller.From(ctx).RequireOwner(userID, adminScope, "profile")
}
