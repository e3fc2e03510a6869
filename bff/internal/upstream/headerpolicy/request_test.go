package headerpolicy_test

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/upstream/headerpolicy"
)

const (
	traceID  = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentID = "00f067aa0ba902b7"
	parent   = "00-" + traceID + "-" + parentID + "-01"
)

func TestRequest(t *testing.T) {
	t.Parallel()

	l := mustNew(t, []string{"X-A", "cookie", "Accept-LANGUAGE"}, nil)
	trace := map[string][]string{"traceparent": {parent}}
	both := map[string][]string{"traceparent": {parent}, "tracestate": {"a=1,b=2"}}

	tests := []struct {
		name   string
		header http.Header
		want   map[string][]string
	}{
		{"nothing", nil, nil},
		{"nothing_that_is_listed", http.Header{"X-B": {"1"}, "Authorization": {"Bearer a"}, "X-Portico-Subject": {"root"}}, nil},
		{"all_values_in_order", http.Header{"X-A": {"2", "1", ""}, "X-B": {"3"}}, map[string][]string{"x-a": {"2", "1", ""}}},
		{"several_headers", http.Header{"Cookie": {"a=1"}, "Accept-Language": {"de"}}, map[string][]string{
			"cookie": {"a=1"}, "accept-language": {"de"},
		}},
		{"other_spelling_that_a_server_never_makes", http.Header{"x-a": {"1"}, "X_A": {"1"}}, nil},

		{"named_by_connection", http.Header{"X-A": {"1"}, "Cookie": {"2"}, "Connection": {"x-a"}}, map[string][]string{"cookie": {"2"}}},
		{"named_in_capitals", http.Header{"X-A": {"1"}, "Connection": {"close, X-A"}}, nil},
		{"named_between_spaces_and_empty_options", http.Header{"X-A": {"1"}, "Connection": {",, keep-alive ,\tx-A\t,"}}, nil},
		{"named_in_the_second_field", http.Header{"X-A": {"1"}, "Connection": {"close", "upgrade,x-a"}}, nil},
		{"named_in_part", http.Header{"X-A": {"1"}, "Connection": {"x-ab, x, -a"}}, map[string][]string{"x-a": {"1"}}},
		{"named_and_not_printable", http.Header{"X-A": {"ü"}, "Connection": {"x-a"}}, nil},

		{"trace", http.Header{"Traceparent": {parent}}, trace},
		{"trace_with_a_listed_header", http.Header{"Traceparent": {parent}, "X-A": {"1"}}, map[string][]string{
			"traceparent": {parent}, "x-a": {"1"},
		}},
		{"state", http.Header{"Traceparent": {parent}, "Tracestate": {"a=1,b=2"}}, both},
		{"state_in_two_fields", http.Header{"Traceparent": {parent}, "Tracestate": {"a=1", "b=2"}}, both},
		{"state_alone", http.Header{"Tracestate": {"a=1"}}, nil},
		{"state_of_an_invalid_parent", http.Header{"Traceparent": {"00-1"}, "Tracestate": {"a=1"}}, nil},
		{"two_parents", http.Header{"Traceparent": {parent, parent}, "Tracestate": {"a=1"}}, nil},
		{"empty_state", http.Header{"Traceparent": {parent}, "Tracestate": {"", " "}}, trace},
		{"state_of_512_bytes", http.Header{"Traceparent": {parent}, "Tracestate": {"a=" + strings.Repeat("1", 510)}}, map[string][]string{
			"traceparent": {parent}, "tracestate": {"a=" + strings.Repeat("1", 510)},
		}},
		{"state_of_513_bytes", http.Header{"Traceparent": {parent}, "Tracestate": {"a=" + strings.Repeat("1", 508), "b="}}, trace},
		{"state_not_printable", http.Header{"Traceparent": {parent}, "Tracestate": {"a=ü"}}, trace},
		{"parent_named_by_connection", http.Header{
			"Traceparent": {parent}, "Tracestate": {"a=1"}, "Connection": {"TraceParent"},
		}, nil},
		{"state_named_by_connection", http.Header{"Traceparent": {parent}, "Tracestate": {"a=1"}, "Connection": {"tracestate"}}, trace},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := l.Request(tt.header)
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.want, got); diff != "" || (got == nil) != (tt.want == nil) {
				t.Error(diff)
			}
		})
	}
}

func TestRequestThatCannotBeCarried(t *testing.T) {
	t.Parallel()

	const limit = 8 << 10

	l := mustNew(t, []string{"X-A", "X-B"}, nil)

	tests := []struct {
		name   string
		header http.Header
		status int
	}{
		{"tilde_and_space", http.Header{"X-A": {" ~"}}, 0},
		{"tab", http.Header{"X-A": {"a\tb"}}, 400},
		{"delete", http.Header{"X-A": {"1", "\x7f"}}, 400},
		{"utf8", http.Header{"X-B": {"ü"}}, 400},
		{"line_break", http.Header{"X-B": {"a\nb"}}, 400},
		{"just_the_limit", http.Header{"X-A": {strings.Repeat("a", limit/2)}, "X-B": {strings.Repeat("a", limit/2)}}, 0},
		{"over_the_limit", http.Header{"X-A": {strings.Repeat("a", limit)}, "X-B": {"a"}}, 431},
		{"as_many_values_as_may_be", http.Header{"X-A": make([]string, 64)}, 0},
		{"too_many_empty_values", http.Header{"X-A": make([]string, 64), "X-B": {""}}, 431},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := l.Request(tt.header)

			var refused *problem.Problem
			if errors.As(err, &refused) != (tt.status != 0) || refused != nil && refused.Status != tt.status {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The rows follow the specification's own test suite.
func TestTraceParent(t *testing.T) {
	t.Parallel()

	const ids = traceID + "-" + parentID

	tests := []struct {
		name, sent, want string
	}{
		{"sampled", parent, parent},
		{"not_sampled", "00-" + ids + "-00", "00-" + ids + "-00"},
		{"other_flags", "00-" + ids + "-ff", "00-" + ids + "-ff"},
		{"empty", "", ""},
		{"trailing_dash", parent + "-", ""},
		{"more_after_the_flags", parent + "-what-the-future-will-be-like", ""},
		{"more_without_a_dash", parent + ".", ""},
		{"space_before", " " + parent, ""},
		{"too_short", parent[:54], ""},
		{"trace_id_all_zero", "00-" + strings.Repeat("0", 32) + "-" + parentID + "-01", ""},
		{"parent_id_all_zero", "00-" + traceID + "-0000000000000000-01", ""},
		{"trace_id_in_capitals", "00-" + strings.ToUpper(traceID) + "-" + parentID + "-01", ""},
		{"parent_id_in_capitals", "00-" + traceID + "-" + strings.ToUpper(parentID) + "-01", ""},
		{"trace_id_with_a_dot", "00-." + traceID[1:] + "-" + parentID + "-01", ""},
		{"trace_id_too_long", "00-" + traceID + "0-" + parentID + "-01", ""},
		{"flags_not_hexadecimal", "00-" + ids + "-.0", ""},
		{"flags_in_capitals", "00-" + ids + "-0A", ""},
		{"underscores", strings.ReplaceAll(parent, "-", "_"), ""},
		{"version_not_hexadecimal", "0x" + parent[2:], ""},
		{"version_in_capitals", "CC" + parent[2:], ""},
		{"version_ff", "ff" + parent[2:], ""},
		{"version_too_short", "0" + parent[2:], ""},

		{"later_version", "cc-" + ids + "-01", parent},
		{"later_version_with_more", "cc-" + ids + "-01-what-the-future-will-be-like", parent},
		{"later_version_with_an_end_dash", "cc-" + ids + "-01-", parent},
		{"later_version_with_unknown_flags", "01-" + ids + "-fe", "00-" + ids + "-00"},
		{"later_version_sampled_and_unknown_flags", "01-" + ids + "-0b", parent},
		{"later_version_without_a_dash", "cc-" + ids + "-01.what", ""},
		{"later_version_without_ids", "cc-" + strings.Repeat("0", 32) + "-" + parentID + "-01", ""},
		{"later_version_too_short", "cc-" + ids + "-0", ""},
	}

	l := mustNew(t, nil, nil)

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			header := http.Header{"Traceparent": {tt.sent}}

			got, err := l.Request(header)
			if err != nil {
				t.Fatal(err)
			}

			if first := strings.Join(got["traceparent"], "|"); first != tt.want || len(got) > 1 {
				t.Errorf("got %q, want %q", got, tt.want)
			}

			if header.Get("Traceparent") != tt.sent {
				t.Error("the client's header was changed")
			}
		})
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("X-A", "1", "Connection", "x-a", "Traceparent", parent)
	f.Add("x-portico-subject", "root", "Authorization", "Bearer a", "X-Request-Id", "forged-id")
	f.Add("Tracestate", "a=1", "Traceparent", "cc"+parent[2:]+"-x", "Cookie", "a=1")
	f.Add("X_a", "\n", "x-A", "\x00", "tracestate", "\t")

	l := mustNew(f, []string{"X-A", "Cookie"}, nil)
	may := []string{"cookie", "traceparent", "tracestate", "x-a"}

	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, name3, value3 string) {
		// As servers fill it, and as nobody should.
		served, raw := http.Header{}, http.Header{}
		for name, value := range map[string]string{name1: value1, name2: value2, name3: value3} {
			served.Add(name, value)
			raw[name] = append(raw[name], value)
		}

		for _, header := range []http.Header{served, raw} {
			got, err := l.Request(header)
			if err != nil {
				if got != nil {
					t.Errorf("%q although %v", got, err)
				}

				continue
			}

			for key, values := range got {
				if !slices.Contains(may, key) {
					t.Errorf("lets %q through", key)
				}

				if slices.ContainsFunc(header["Connection"], func(c string) bool { return strings.EqualFold(c, key) }) {
					t.Errorf("lets %q through, which Connection names", key)
				}

				for _, value := range values {
					if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
						t.Errorf("%s has the value %q", key, value)
					}
				}
			}

			if _, ok := got["tracestate"]; ok && len(got["traceparent"]) != 1 {
				t.Errorf("a state without its parent: %q", slices.Sorted(maps.Keys(got)))
			}
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	l, err := headerpolicy.New(config.Headers{Request: []string{"Accept-Language", "X-A", "X-B"}})
	if err != nil {
		b.Fatal(err)
	}

	plain := http.Header{"Authorization": {"Bearer a"}, "Content-Type": {"application/json"}, "Connection": {"keep-alive"}}
	traced := plain.Clone()
	traced.Set("Traceparent", parent)

	for name, header := range map[string]http.Header{"none": plain, "trace": traced} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if _, err := l.Request(header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestNothingCostsNothing(t *testing.T) {
	l := mustNew(t, []string{"X-A"}, nil)
	header := http.Header{"Authorization": {"Bearer a"}, "Connection": {"keep-alive"}}

	if got := testing.AllocsPerRun(100, func() { _, _ = l.Request(header) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
