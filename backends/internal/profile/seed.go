package profile

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/demo"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Seed writes the demo profiles and alice's picture, once in the life of the database.
func Seed(ctx context.Context, db *sql.DB) error {
	err := sqlstore.Once(ctx, db, func(tx *sql.Tx) error {
		for _, p := range demoProfiles() {
			if err := upsert(ctx, tx, p); err != nil {
				return err
			}
		}

		return seedAvatar(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("seed profiles: %w", err)
	}

	return nil
}

// seedAvatar gives alice a picture that is always the same.
func seedAvatar(ctx context.Context, tx *sql.Tx) error {
	data, err := drawAvatar()
	if err != nil {
		return err
	}

	p, err := newPicture(demo.Alice, &httpbody.HttpBody{Data: data})
	if err != nil {
		return err
	}

	p.UpdateTime = demo.At(2, 14, 18, 32)

	return storePicture(ctx, tx, p)
}

// drawAvatar draws a mountain under the evening sky.
func drawAvatar() ([]byte, error) {
	const size = 128

	canvas := image.NewRGBA(image.Rect(0, 0, size, size))

	for y := range size {
		for x := range size {
			shade := color.RGBA{R: 250 - uint8(y/2), G: 140 + uint8(y/2), B: 90 + uint8(y), A: 255}

			switch aside := max(x-size/2, size/2-x); {
			case aside > y-size/4: // Sky.
			case y < size/2-aside/4:
				shade = color.RGBA{R: 245, G: 248, B: 255, A: 255}
			default:
				shade = color.RGBA{R: 62, G: 70, B: 96, A: 255}
			}

			canvas.SetRGBA(x, y, shade)
		}
	}

	var file bytes.Buffer
	if err := png.Encode(&file, canvas); err != nil {
		return nil, fmt.Errorf("draw avatar: %w", err)
	}

	return file.Bytes(), nil
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
