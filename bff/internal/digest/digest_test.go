package digest_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/digest"
)

// Lists that look alike when their texts are only put one after the other.
func TestNoTwoListsGiveTheSame(t *testing.T) {
	t.Parallel()

	seen := map[string]int{}

	for i, b := range []digest.Buffer{
		digest.Buffer{}.Texts("", "ab"), digest.Buffer{}.Texts("a", "b"), digest.Buffer{}.Texts("ab", ""),
		digest.Buffer{}.Texts("\x01", "b"), digest.Buffer{}.Texts("", "\x01b"), digest.Buffer{}.Texts("a:1", ""),
		digest.Buffer{}.List(nil).List([]string{"a"}), digest.Buffer{}.List([]string{"a"}).List(nil),
		digest.Buffer{}.List([]string{"", "a"}).List(nil), digest.Buffer{}.List([]string{"a", ""}).List(nil),
		digest.Buffer{}.Texts(strings.Repeat("a", 127), ""), digest.Buffer{}.Texts(strings.Repeat("a", 128), ""),
		digest.Buffer{}.Int(1).Int(256), digest.Buffer{}.Int(256).Int(1),
	} {
		if before, ok := seen[b.Hash()]; ok {
			t.Errorf("%d and %d are both %q", before, i, b)
		}

		seen[b.Hash()] = i
	}
}
