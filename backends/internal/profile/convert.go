package profile

import (
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// columns are in the order of scan and upsert.
const columns = `user_id, bio, avatar_url, locale, time_zone, shipping_address, interests, preferences, birth_year,
	loyalty_tier, loyalty_points, update_time`

func scan(row sqlstore.Row) (*profilev1.Profile, error) {
	var (
		p           profilev1.Profile
		address     sql.NullString
		interests   sqlstore.JSON[[]string]
		preferences sqlstore.JSON[map[string]string]
		updated     int64
	)

	err := row.Scan(&p.UserId, &p.Bio, &p.AvatarUrl, &p.Locale, &p.TimeZone, &address, &interests, &preferences, &p.BirthYear,
		&p.LoyaltyTier, &p.LoyaltyPoints, &updated)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}

	if address.Valid {
		p.ShippingAddress = &profilev1.Address{}
		if err := protojson.Unmarshal([]byte(address.String), p.GetShippingAddress()); err != nil {
			return nil, fmt.Errorf("read shipping address: %w", err)
		}
	}

	p.Interests = interests.V
	p.Preferences = preferences.V
	p.UpdateTime = sqlstore.Timestamp(updated)

	return &p, nil
}

func addressColumn(p *profilev1.Profile) (sql.NullString, error) {
	if p.GetShippingAddress() == nil {
		return sql.NullString{}, nil
	}

	text, err := protojson.Marshal(p.GetShippingAddress())
	if err != nil {
		return sql.NullString{}, fmt.Errorf("encode shipping address: %w", err)
	}

	return sql.NullString{String: string(text), Valid: true}, nil
}
