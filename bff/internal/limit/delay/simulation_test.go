package delay

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// simulation is a gateway with one CPU, in virtual time. A request runs several times, and between two of them it waits for its
// backend. What has arrived becomes runnable when nothing else is, or after pollEvery, as in the Go scheduler, and then runs in turn.
// Sometimes the CPU is given to other processes.
type simulation struct {
	// load is what is offered, as a share of what can be done, and price what a refusal costs, as a share of a request.
	load, price float64
	// on and off are for how long in turn the process has the CPU and others have it. Zero: it always has it.
	on, off time.Duration

	controller controller
	random     *rand.Rand
	now, until time.Duration
	polled     time.Duration
	events     timeline
	arrived    []task
	runnable   []task
	delays     []time.Duration
	// ticks are those since the last measurement.
	ticks int

	served          int
	refused, worked []time.Duration
}

const (
	requestCost = 80 * time.Microsecond
	backendTime = 500 * time.Microsecond
	runs        = 4
	pollEvery   = 10 * time.Millisecond
)

// task is a request that waits for its next run.
type task struct {
	arrived, since time.Duration
	run            int
}

// event is at a time: a request arrives, a backend has replied, or the delay is measured.
type event struct {
	at   time.Duration
	kind int
	task task
}

const (
	arrival = iota
	wakeUp
	measurement
)

// timeline is a heap of events.
type timeline []event //nolint:recvcheck // As container/heap wants it.

func (t timeline) Len() int           { return len(t) }
func (t timeline) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timeline) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)        { *t = append(*t, x.(event)) }

func (t *timeline) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]

	return last
}

// simulate runs one until the time.
func (s *simulation) simulate(until time.Duration) {
	s.controller = controller{target: 5 * time.Millisecond}
	s.random = rand.New(rand.NewPCG(1, 2))

	heap.Push(&s.events, event{kind: arrival})
	heap.Push(&s.events, event{kind: measurement, at: every})

	s.advance(until)
}

func (s *simulation) advance(until time.Duration) {
	for s.now < until {
		next := s.events[0].at

		if len(s.runnable) == 0 || s.now-s.polled > pollEvery {
			s.poll(next)
		}

		if len(s.runnable) > 0 && s.start(max(s.until, s.now)) <= next {
			s.run()
			continue
		}

		s.happen(heap.Pop(&s.events).(event))
	}
}

// poll makes runnable what has arrived, if the CPU is there before the next event.
func (s *simulation) poll(next time.Duration) {
	at := s.start(max(s.until, s.now))
	if len(s.arrived) == 0 || at > next {
		return
	}

	s.polled = at

	for _, t := range s.arrived {
		t.since = at
		s.runnable = append(s.runnable, t)
	}

	s.arrived = s.arrived[:0]
}

// start is when the process has the CPU, from a time on.
func (s *simulation) start(at time.Duration) time.Duration {
	if s.off == 0 {
		return at
	}

	if phase := at % (s.on + s.off); phase >= s.on {
		return at + s.on + s.off - phase
	}

	return at
}

// work takes so much of the CPU.
func (s *simulation) work(cost time.Duration) {
	s.until = s.now + cost
	if s.off > 0 && s.now%(s.on+s.off)+cost > s.on {
		s.until += s.off
	}
}

func (s *simulation) run() {
	t := s.runnable[0]
	s.runnable = s.runnable[1:]
	s.now = s.start(max(s.until, s.now))
	s.delays = append(s.delays, s.now-t.since)

	switch {
	case t.run == 0 && s.random.Float64() < s.controller.share:
		s.work(time.Duration(s.price * float64(requestCost)))
		s.refused = append(s.refused, s.until-t.arrived)
	case t.run == runs-1:
		s.work(requestCost / runs)
		s.served++
		s.worked = append(s.worked, s.until-t.arrived)
	default:
		s.work(requestCost / runs)

		t.run++
		heap.Push(&s.events, event{kind: wakeUp, at: s.until + backendTime, task: t})
	}
}

func (s *simulation) happen(e event) {
	s.now = max(s.now, e.at)

	switch e.kind {
	case arrival:
		s.arrived = append(s.arrived, task{arrived: e.at})
		between := s.random.ExpFloat64() * float64(requestCost) / (s.load * s.capacity())
		heap.Push(&s.events, event{kind: arrival, at: e.at + time.Duration(between)})
	case wakeUp:
		s.arrived = append(s.arrived, e.task)
	case measurement:
		if s.ticks++; len(s.delays) >= minStarts || s.ticks == maxCalls {
			slices.Sort(s.delays)

			var delay time.Duration
			if len(s.runnable) > queuePerCPU && len(s.delays) > 0 {
				delay = s.delays[int(share*float64(len(s.delays)))]
			}

			s.controller.update(delay, s.ticks)
			s.ticks = 0
			s.delays = s.delays[:0]
		}

		heap.Push(&s.events, event{kind: measurement, at: e.at + every})
	}
}

// capacity is the share of the CPU that the process has.
func (s *simulation) capacity() float64 {
	if s.off == 0 {
		return 1
	}

	return s.on.Seconds() / (s.on + s.off).Seconds()
}

// possible is what can be served of what is offered, as a share of the capacity, when all else is refused.
func (s *simulation) possible() float64 {
	if s.load <= 1 {
		return s.load
	}

	return (1 - s.load*s.price) / (1 - s.price)
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}

// What can be served is served, however much is offered, refusals are fast, and nothing is refused that could be served. That
// others use the CPU, too, makes it less, but is no reason to refuse.
func TestShareSettlesAtTheCapacity(t *testing.T) {
	t.Parallel()

	const length = 4 * time.Second

	for name, cpu := range map[string][2]time.Duration{
		"all_of_the_cpu":         {},
		"third_of_the_cpu":       {3 * time.Millisecond, 6 * time.Millisecond},
		"little_and_long_stalls": {3 * time.Millisecond, 15 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, load := range []float64{0.3, 0.9, 0.98, 1.05, 2, 3} {
				s := &simulation{load: load, price: 0.15, on: cpu[0], off: cpu[1]}
				s.simulate(length)

				served := float64(s.served) * requestCost.Seconds() / length.Seconds() / s.capacity()
				t.Logf("load %.2f: served %.2f of possible %.2f, refused %d", load, served, s.possible(), len(s.refused))

				if want := 0.9 * s.possible(); served < want {
					t.Errorf("load %.2f: served %.2f, want at least %.2f", load, served, want)
				}

				if load < 1 && len(s.refused) > 0 {
					t.Errorf("load %.2f: %d requests were refused", load, len(s.refused))
				}

				if load < 1 {
					continue
				}

				if got := median(s.refused); got > 10*time.Millisecond+s.off {
					t.Errorf("load %.2f: a refusal takes %v", load, got)
				}
			}
		})
	}
}

// After an overload all requests are served again soon.
func TestShareFallsAfterAnOverload(t *testing.T) {
	t.Parallel()

	for name, load := range map[string]float64{"half_busy": 0.5, "almost_idle": 0.01} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := &simulation{load: 2, price: 0.15}
			s.simulate(3 * time.Second)

			if s.controller.share < 0.5 {
				t.Fatalf("the share is %.2f", s.controller.share)
			}

			s.load = load
			s.advance(4 * time.Second)

			before := len(s.refused)
			s.advance(8 * time.Second)

			if got := len(s.refused) - before; got > 0 {
				t.Errorf("%d requests were refused later than a second after the overload", got)
			}
		})
	}
}
