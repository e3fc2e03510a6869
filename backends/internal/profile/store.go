package profile

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// load gives an error with sql.ErrNoRows if there is no profile.
func load(ctx context.Context, db sqlstore.Queryer, userID string) (*profilev1.Profile, error) {
	return scan(db.QueryRowContext(ctx, `SELECT `+columns+` FROM profiles WHERE user_id = ?`, userID))
}

func upsert(ctx context.Context, tx *sql.Tx, p *profilev1.Profile) error {
	address, err := addressColumn(p)
	if err != nil {
		return err
	}

	_, err = tx.ExecContext(ctx,
		`INSERT INTO profiles (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		 ON CONFLICT (user_id) DO UPDATE SET
		   bio = excluded.bio, avatar_url = excluded.avatar_url, locale = excluded.locale, time_zone = excluded.time_zone,
		   shipping_address = excluded.shipping_address, interests = excluded.interests, preferences = excluded.preferences,
		   birth_year = excluded.birth_year, update_time = excluded.update_time`,
		p.GetUserId(), p.GetBio(), p.GetAvatarUrl(), p.GetLocale(), p.GetTimeZone(), address,
		sqlstore.JSON[[]string]{V: p.GetInterests()}, sqlstore.JSON[map[string]string]{V: p.GetPreferences()},
		p.BirthYear, p.GetLoyaltyTier(), p.GetLoyaltyPoints(), sqlstore.Micros(p.GetUpdateTime()))
	if err != nil {
		return fmt.Errorf("write profile: %w", err)
	}

	return nil
}
