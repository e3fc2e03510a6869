package main

import (
	"context"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"

	shopv1 "example.com/shop/gen/shop/v1"
)

// pages implements TeaPageService inside the gateway.
type pages struct {
	shopv1.UnimplementedTeaPageServiceServer

	teas shopv1.TeaServiceClient
}

func newPages(connect bff.Connect) (shopv1.TeaPageServiceServer, error) {
	shop, err := connect("shop")
	if err != nil {
		return nil, err
	}

	return &pages{teas: shopv1.NewTeaServiceClient(shop)}, nil
}

// GetTeaPage can do without the ratings. A page without them says so, and is not cached.
func (p *pages) GetTeaPage(ctx context.Context, req *shopv1.GetTeaPageRequest) (*shopv1.TeaPage, error) {
	page := &shopv1.TeaPage{}

	return page, composite.Run(ctx, page,
		composite.Required("tea", func(ctx context.Context) (err error) {
			page.Tea, err = p.teas.GetTea(ctx, &shopv1.GetTeaRequest{TeaId: req.GetTeaId()})

			return err
		}),
		composite.Optional("ratings", func(ctx context.Context) error {
			list, err := p.teas.ListRatings(ctx, &shopv1.ListRatingsRequest{TeaId: req.GetTeaId()})
			page.Ratings = list.GetRatings()

			return err
		}),
	)
}
