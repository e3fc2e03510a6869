package profile

import (
	"context"
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/demo"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Seed writes the demo profiles, once in the life of the database.
func Seed(ctx context.Context, db *sql.DB) error {
	err := sqlstore.Once(ctx, db, func(tx *sql.Tx) error {
		for _, p := range demoProfiles() {
			if err := upsert(ctx, tx, p); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("seed profiles: %w", err)
	}

	return nil
}

func demoProfiles() []*profilev1.Profile {
	return []*profilev1.Profile{
		{
			UserId: demo.Alice, Bio: "Climbs, bakes bread, reads everything.", AvatarUrl: "https://example.com/avatars/alice.png",
			Locale: "de-AT", TimeZone: "Europe/Vienna",
			ShippingAddress: &profilev1.Address{
				Lines: []string{"Alice Adler", "Lindengasse 7/12"}, PostalCode: "1070", City: "Wien", CountryCode: "AT",
			},
			Interests: []string{"climbing", "baking", "novels"}, Preferences: map[string]string{"theme": "dark", "currency": "EUR"},
			BirthYear: proto.Int32(1990), LoyaltyTier: profilev1.LoyaltyTier_LOYALTY_TIER_GOLD, LoyaltyPoints: 2480,
			UpdateTime: demo.At(2, 14, 18, 32),
		},
		{
			UserId: demo.Bob, Bio: "Cyclist.", Locale: "de-DE", TimeZone: "Europe/Berlin",
			ShippingAddress: &profilev1.Address{
				Lines: []string{"Bob Berger", "Torstraße 110"}, PostalCode: "10119", City: "Berlin", CountryCode: "DE",
			},
			Interests: []string{"cycling"}, Preferences: map[string]string{"theme": "light"},
			LoyaltyTier: profilev1.LoyaltyTier_LOYALTY_TIER_BASIC, LoyaltyPoints: 120,
			UpdateTime: demo.At(2, 3, 17, 1),
		},
	}
}
