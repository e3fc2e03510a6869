package cache_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// A call gets the metadata that was made for the request, unless something in it is not for the call.
func TestMetadataOfLegsIsMadeOnce(t *testing.T) {
	t.Parallel()

	public := storedLegs()
	public.Cache.Public = true

	conditional := map[string][]string{"if-none-match": {`"a"`}, "accept-language": {"de"}}

	for name, row := range map[string]struct {
		rule    cache.LegRule
		forward map[string][]string
		early   bool
		again   bool
	}{
		"same":               {rule: legRule(), forward: conditional, early: true},
		"same_and_stored":    {rule: storedLegs(), early: true},
		"not_made_before":    {rule: legRule(), again: true},
		"caller_left_out":    {rule: public, early: true, again: true},
		"condition_left_out": {rule: storedLegs(), forward: conditional, early: true, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			build := func(rec *reqinfo.Record) metadata.MD {
				return metadata.MD{"subject": {rec.Principal.Subject}, "condition": rec.Forward["if-none-match"]}
			}

			rec := ada()
			rec.Forward = row.forward

			if row.early {
				rec.Metadata(build)
			}

			made := false
			m := legs(t, row.rule)
			m.reply = func(ctx context.Context, _ int64) ([]byte, error) {
				fork := reqinfo.From(ctx)
				got := fork.Metadata(func(rec *reqinfo.Record) metadata.MD {
					made = true

					return build(rec)
				})

				if got.Get("subject")[0] != fork.Principal.Subject || len(got.Get("condition")) != len(fork.Forward["if-none-match"]) {
					t.Errorf("%v is not of the call", got)
				}

				return []byte("1"), nil
			}

			m.as(t.Context(), rec).wants(t, "1")

			if made != row.again {
				t.Errorf("made again: %t", made)
			}
		})
	}
}
