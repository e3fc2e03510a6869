package sqlstore

import "testing"

func TestFull(t *testing.T) {
	t.Parallel()

	for code, want := range map[int]bool{13: true, 4874: true, 10: false, 266: false, 5: false, 14: false} {
		if got := full(code); got != want {
			t.Errorf("code %d: %v, want %v", code, got, want)
		}
	}
}
