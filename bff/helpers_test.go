package bff_test

import (
	"log/slog"

	"github.com/portico-gateway/portico/bff"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
)

func withShelf() bff.Option {
	return bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService")
}

func quiet() bff.Option { return bff.WithLogger(slog.New(slog.DiscardHandler)) }
