package reqinfo_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestMemoryLeft(t *testing.T) {
	t.Parallel()

	rec := &reqinfo.Record{}
	base := rec.MemoryLeft()

	rec.AddWireBytes(1000)

	if got := rec.MemoryLeft() - base; got < 10*1000 || got > 100*1000 {
		t.Errorf("1000 bytes more allow %d", got)
	}

	before := rec.MemoryLeft()
	rec.Spend(before + 1)

	if rec.MemoryLeft() != -1 || rec.Fork().MemoryLeft() != -1 || rec.WireBytes() != 1000 {
		t.Errorf("%d are left, %d after a fork, of %d bytes", rec.MemoryLeft(), rec.Fork().MemoryLeft(), rec.WireBytes())
	}
}

// What is garbage is given back, and a small part of a large body may not take what the large one might.
func TestMemoryLeftForParts(t *testing.T) {
	t.Parallel()

	rec := &reqinfo.Record{}
	base := rec.MemoryLeft()

	rec.AddWireBytes(1000)

	all := rec.MemoryLeft()
	if got := rec.MemoryLeftFor(2000); got != all {
		t.Errorf("%d are left for what was compressed, want %d", got, all)
	}

	if got, want := rec.MemoryLeftFor(100)-base, (all-base)/10; got != want {
		t.Errorf("100 bytes of 1000 allow %d more, want %d", got, want)
	}

	rec.Spend(all + 1)
	rec.Release()

	if got := rec.MemoryLeft(); got != all {
		t.Errorf("%d are left after all was given back, want %d", got, all)
	}
}
