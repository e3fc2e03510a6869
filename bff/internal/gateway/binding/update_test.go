package binding_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// A mask may be long and go deep: what it costs is bounded.
//
// It is not parallel, because it measures memory.
func TestLongMasksAreBounded(t *testing.T) { //nolint:paralleltest // See above.
	b := checked(t, &everyv1.UpdateRequest{}, "PATCH /v1/every/{every.string_field}")

	var many, deep []string
	for range 100_000 {
		many = append(many, "color")
	}

	// Each goes into sixty messages of its own.
	for i := range 500 {
		path := strings.Repeat("every.", 40)
		for bit := range 10 {
			path += []string{"every.", "choice_every."}[i>>bit&1]
		}

		deep = append(deep, path+strings.Repeat("every.", 10)+"color")
	}

	for name, paths := range map[string][]string{"many": many, "deep": deep} {
		m := &everyv1.UpdateRequest{Every: &everyv1.Every{}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}

		var before, after runtime.MemStats

		runtime.ReadMemStats(&before)
		b.ResolveMask(m.ProtoReflect())

		if err := b.Validate(t.Context(), m); err != nil {
			t.Error(err)
		}

		runtime.ReadMemStats(&after)

		size := 0
		for _, path := range paths {
			size += len(path)
		}

		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(20*size+4<<20) {
			t.Errorf("%s: %d bytes for %d in %s paths", name, used, size, strconv.Itoa(len(paths)))
		}
	}
}
