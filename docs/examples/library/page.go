package main

import (
	"context"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/fanout"

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

// GetTeaPage can do without the ratings. That they are missing is also noted by fanout.Run: such a page is not cached.
func (p *pages) GetTeaPage(ctx context.Context, req *shopv1.GetTeaPageRequest) (*shopv1.TeaPage, error) {
	page := &shopv1.TeaPage{}

	missing, err := fanout.Run(ctx, fanout.Options{},
		fanout.Required("tea", 0, func(ctx context.Context) (err error) {
			page.Tea, err = p.teas.GetTea(ctx, &shopv1.GetTeaRequest{TeaId: req.GetTeaId()})

			return err
		}),
		fanout.Optional("ratings", 0, func(ctx context.Context) error {
			list, err := p.teas.ListRatings(ctx, &shopv1.ListRatingsRequest{TeaId: req.GetTeaId()})
			page.Ratings = list.GetRatings()

			return err
		}),
	)
	for _, failure := range missing {
		page.Missing = append(page.Missing, failure.Branch)
	}

	return page, err
}
