// Package user is the user service: it keeps the accounts.
//
// It does not know how users prove who they are, and nothing of what they do.
package user

import (
	"cmp"
	"context"
	"database/sql"
	"embed"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fieldmask"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	"github.com/portico-gateway/portico/backends/internal/validate"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Migrations make the database that New needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const adminScope = "users:admin"

// Page sizes of ListUsers.
const (
	defaultPage = 50
	maxPage     = 100
)

// Service implements userv1.UserServiceServer. It is safe for concurrent use, also by several servers.
type Service struct {
	userv1.UnimplementedUserServiceServer

	db *sql.DB
}

// New builds the service over its database, which stays the caller's.
func New(db *sql.DB) *Service {
	return &Service{db: db}
}

// CreateUser opens an account. Made again with the same request_id, it answers with the account that is there.
func (s *Service) CreateUser(ctx context.Context, req *userv1.CreateUserRequest) (*userv1.User, error) {
	if err := caller.From(ctx).RequireScope(adminScope); err != nil {
		return nil, err
	}

	return repeat.Once(ctx, s.db, req, load, func(tx *sql.Tx) (*userv1.User, string, error) {
		now := sqlstore.Now()
		u := &userv1.User{
			UserId:      cmp.Or(req.GetUserId(), ident.New("usr")),
			Email:       req.GetEmail(),
			DisplayName: req.GetDisplayName(),
			Status:      userv1.UserStatus_USER_STATUS_ACTIVE,
			Phone:       req.Phone,
			Labels:      req.GetLabels(),
			CreateTime:  now,
			UpdateTime:  now,
		}

		return u, u.GetUserId(), create(ctx, tx, u)
	})
}

// GetUser reads one account.
func (s *Service) GetUser(ctx context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	return load(ctx, s.db, req.GetUserId())
}

// ListUsers lists all accounts, oldest first.
func (s *Service) ListUsers(ctx context.Context, req *userv1.ListUsersRequest) (*userv1.ListUsersResponse, error) {
	if err := caller.From(ctx).RequireScope(adminScope); err != nil {
		return nil, err
	}

	size := page.Size(req.GetPageSize(), defaultPage, maxPage)

	after, err := page.Read(req.GetPageToken(), page.Oldest(), "users")
	if err != nil {
		return nil, err
	}

	users, err := s.list(ctx, after, size+1)
	if err != nil {
		return nil, err
	}

	resp := &userv1.ListUsersResponse{}
	resp.Users, resp.NextPageToken = page.Cut(users, size, position, "users")

	if resp.TotalSize, err = s.count(ctx); err != nil {
		return nil, err
	}

	return resp, nil
}

// UpdateUser changes the fields that the mask names.
func (s *Service) UpdateUser(ctx context.Context, req *userv1.UpdateUserRequest) (*userv1.User, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	var updated *userv1.User

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if updated, err = load(ctx, tx, req.GetUserId()); err != nil {
			return err
		}

		if err := fieldmask.Update(updated, req.GetUser(), req.GetUpdateMask(), changeable()); err != nil {
			return err
		}

		if err := validate.Resource("user", updated); err != nil {
			return err
		}

		updated.UpdateTime = sqlstore.Now()

		return update(ctx, tx, updated)
	})
	if err != nil {
		return nil, err
	}

	return updated, nil
}

// DeleteUser closes an account.
func (s *Service) DeleteUser(ctx context.Context, req *userv1.DeleteUserRequest) (*emptypb.Empty, error) {
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	if err := s.remove(ctx, req.GetUserId()); err != nil {
		return nil, err
	}

	return &emptypb.Empty{}, nil
}

// authorize checks the caller before anything is looked up, so that nobody learns which accounts exist.
func authorize(ctx context.Context, userID string) error {
	return caller.From(ctx).RequireOwner(userID, adminScope, "user")
}

// changeable are the paths that UpdateUser accepts.
func changeable() []string {
	return []string{"email", "display_name", "phone", "labels"}
}
