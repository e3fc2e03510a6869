// Package teapage is the page about a tea, which the gateway puts together.
package teapage

import (
	"context"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"

	shopv1 "example.com/shop/gen/shop/v1"
)

type service struct {
	shopv1.UnimplementedTeaPageServiceServer

	teas shopv1.TeaServiceClient
}

// New returns the service over a connection to the upstream shop.
func New(connect bff.Connect) (shopv1.TeaPageServiceServer, error) {
	shop, err := connect("shop")
	if err != nil {
		return nil, err
	}

	return &service{teas: shopv1.NewTeaServiceClient(shop)}, nil
}

// GetTeaPage needs the tea. If anything else is missing, the page says so, and is not cached.
func (s *service) GetTeaPage(ctx context.Context, req *shopv1.GetTeaPageRequest) (*shopv1.TeaPage, error) {
	page := &shopv1.TeaPage{}

	tea := composite.Required("tea", func(ctx context.Context) (err error) {
		page.Tea, err = s.teas.GetTea(ctx, &shopv1.GetTeaRequest{TeaId: req.GetTeaId()})

		return err
	})

	ratings := composite.Optional("ratings", func(ctx context.Context) error {
		list, err := s.teas.ListRatings(ctx, &shopv1.ListRatingsRequest{TeaId: req.GetTeaId()})
		page.Ratings = list.GetRatings()

		return err
	})

	related := composite.Optional("related", func(ctx context.Context) (err error) {
		page.Related, err = s.read(ctx, page.GetTea().GetRelatedTeaIds())

		return err
	}).After(tea)

	return page, composite.Run(ctx, page, tea, ratings, related)
}

// read reads teas one by one. The option batch of GetTea makes one call of these.
func (s *service) read(ctx context.Context, ids []string) ([]*shopv1.Tea, error) {
	teas := make([]*shopv1.Tea, len(ids))

	err := composite.Each(ctx, ids, 0, func(ctx context.Context, i int, id string) (err error) {
		teas[i], err = s.teas.GetTea(ctx, &shopv1.GetTeaRequest{TeaId: id})

		return err
	})
	if err != nil {
		return nil, err
	}

	return teas, nil
}
