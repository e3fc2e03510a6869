package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
)

// A composite may say what no backend can.
func TestPresentable(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name      string
		said      metadata.MD
		presented metadata.MD
	}{
		{"none", nil, nil},
		{"sound", metadata.MD{"a": {"x; y=\"z\"", "", "~"}}, metadata.MD{"a": {"x; y=\"z\"", "", "~"}}},
		{"bytes", metadata.MD{"a-bin": {"\x00", "", "ab"}, "b": {"c"}}, metadata.MD{"a-bin": {"AA", "", "YWI"}, "b": {"c"}}},
		{"bytes_in_upper_case", metadata.MD{"A-Bin": {"\x00"}}, metadata.MD{"A-Bin": {"AA"}}},
		{"control_characters", metadata.MD{"a": {"\x00", "b\r\nc: d", "\x7f", "e"}}, metadata.MD{"a": {"e"}}},
		{"no_ascii", metadata.MD{"a": {"\u00fc", "\x80"}}, metadata.MD{"a": nil}},
		{"spaces_around", metadata.MD{"a": {" b c\t", " "}}, metadata.MD{"a": {"b c", ""}}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			before := tt.said.Copy()

			if diff := cmp.Diff(tt.presented, presentable(tt.said)); diff != "" {
				t.Error(diff)
			}

			if diff := cmp.Diff(before, tt.said.Copy()); diff != "" {
				t.Error("changed", diff)
			}
		})
	}
}
