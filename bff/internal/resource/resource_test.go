package resource_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/resource"
)

// events are what happened to resources, in order.
type events []string

// thing is a resource that tells what happens to it.
func (e *events) thing(l *resource.Lease, kind, key string) (*string, error) {
	return resource.Take(l, kind, key, func(own *resource.Lease) (*string, error) {
		e.add("open " + kind + key)
		own.AtEnd(func() error {
			e.add("close " + kind + key)
			return nil
		})
		own.AtCommit(func() { e.add("commit " + kind + key) })

		return new(kind + key), nil
	})
}

func (e *events) add(event string) { *e = append(*e, event) }

func (e *events) want(t *testing.T, want ...string) {
	t.Helper()

	if !slices.Equal(*e, want) {
		t.Errorf("%s, want %s", strings.Join(*e, ", "), strings.Join(want, ", "))
	}

	*e = nil
}

func TestGenerationsShareWhatDidNotChange(t *testing.T) {
	t.Parallel()

	var (
		happened events
		set      = resource.NewSet()
		first    = set.Lease()
		second   = set.Lease()
	)

	a, _ := happened.thing(first, "conn", "1")
	_, _ = happened.thing(first, "keys", "1")
	first.Commit()
	first.Commit()
	happened.want(t, "open conn1", "open keys1", "commit conn1", "commit keys1")

	again, _ := happened.thing(second, "conn", "1")
	_, _ = happened.thing(second, "keys", "2")
	second.Commit()
	happened.want(t, "open keys2", "commit keys2")

	if again != a {
		t.Error("the second generation has another instance")
	}

	_ = first.Release()
	_ = first.Release()
	happened.want(t, "close keys1")

	_ = second.Release()
	happened.want(t, "close keys2", "close conn1")

	if set.Len() != 0 {
		t.Errorf("%d resources are left", set.Len())
	}
}

// A resource lives as long as what is made of it, also if the generation that made both has ended.
func TestNestedResourceLivesAsLongAsItsUser(t *testing.T) {
	t.Parallel()

	var happened events

	set := resource.NewSet()
	outer := func(l *resource.Lease) {
		_, _ = resource.Take(l, "outer", "", func(own *resource.Lease) (int, error) {
			_, err := happened.thing(own, "inner", "")
			return 1, err
		})
	}

	first, second := set.Lease(), set.Lease()
	outer(first)
	first.Commit()
	outer(second)
	_ = first.Release()
	happened.want(t, "open inner", "commit inner")

	_ = second.Release()
	happened.want(t, "close inner")
}

func TestFailureLeavesNothing(t *testing.T) {
	t.Parallel()

	var happened events

	set := resource.NewSet()
	lease := set.Lease()
	fault := errors.New("no such file")

	_, err := resource.Take(lease, "outer", "", func(own *resource.Lease) (int, error) {
		_, _ = happened.thing(own, "inner", "")
		own.Background(func(ctx context.Context) { <-ctx.Done() })

		return 0, fault
	})
	if !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}

	happened.want(t, "open inner", "close inner")

	if err := lease.Release(); err != nil || set.Len() != 0 {
		t.Errorf("error %v, %d resources are left", err, set.Len())
	}
}

func TestReleaseReturnsTheErrorsOfClosing(t *testing.T) {
	t.Parallel()

	fault := errors.New("lost")
	lease := resource.NewSet().Lease()
	_, _ = resource.Take(lease, "store", "", func(own *resource.Lease) (int, error) {
		own.AtEnd(func() error { return fault })
		return 0, nil
	})

	for range 2 {
		if err := lease.Release(); !errors.Is(err, fault) {
			t.Errorf("error %v", err)
		}
	}
}

func TestKeysDifferByValue(t *testing.T) {
	t.Parallel()

	type settings struct{ Addresses []string }

	one := resource.Key("user", settings{[]string{"a", "b"}})
	if one != resource.Key("user", settings{[]string{"a", "b"}}) {
		t.Error("equal settings have different keys")
	}

	if one == resource.Key("user", settings{[]string{"a,b"}}) || one == resource.Key("order", settings{[]string{"a", "b"}}) {
		t.Error("different settings have the same key")
	}
}
