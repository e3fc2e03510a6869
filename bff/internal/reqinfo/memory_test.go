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
