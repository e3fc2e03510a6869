package composite

import (
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// followers are what a task has to do with which goroutines of a request can make calls: package scope has to know, so that calls
// are put into batches.
type followers struct {
	goroutine scope.Goroutine
	// next are the tasks that come after this one, and blocked is how many this one waits for.
	next    []*task
	blocked atomic.Int32
}

// follow makes a task wait for this one.
func (f *followers) follow(other *task) {
	f.next = append(f.next, other)
	other.blocked.Add(1)
}

// release lets those that come after this task run, unless they wait for others as well.
func (f *followers) release() {
	for _, other := range f.next {
		if other.blocked.Add(-1) == 0 {
			other.goroutine.Ready()
		}
	}
}

// startAll counts the tasks that wait for no others.
func startAll(fork *scope.Fork, tasks []task) *scope.Fork {
	for i := range tasks {
		if tasks[i].skipped {
			continue
		}

		fork.Add(&tasks[i].goroutine)

		if tasks[i].blocked.Load() == 0 {
			tasks[i].goroutine.Ready()
		}
	}

	return fork
}
