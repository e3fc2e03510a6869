package ident_test

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/backends/internal/ident"
)

func TestNew(t *testing.T) {
	t.Parallel()

	form := regexp.MustCompile(`^ord_[0-9a-hjkmnp-tv-z]{26}$`)
	if id := ident.New("ord"); !form.MatchString(id) || id == ident.New("ord") {
		t.Errorf("made %q", id)
	}
}

func TestIdentifiersSortByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		earlier := ident.New("ord")

		time.Sleep(time.Millisecond)

		if later := ident.New("ord"); later <= earlier {
			t.Errorf("%q comes before %q", later, earlier)
		}
	})
}
