package auth

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeysFetchedIsTheLastTime(t *testing.T) {
	t.Parallel()

	set := oneKey(t)

	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a := &Authenticator{issuers: map[string]*issuer{
			"one": {keys: newKeySource(nil, 0, nil)}, "two": {keys: newKeySource(nil, 0, nil)},
		}}

		a.issuers["one"].keys.replace(set)
		time.Sleep(time.Hour)
		// The same keys again.
		a.issuers["one"].keys.replace(set)

		want := map[string]time.Time{"one": begin.Add(time.Hour), "two": {}}
		if diff := cmp.Diff(want, a.KeysFetched(), cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Error(diff)
		}
	})
}
