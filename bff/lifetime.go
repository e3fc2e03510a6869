package bff

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// lifetime is that of an open gateway: what runs in the background, and what is closed at its end.
type lifetime struct {
	// context is that of what runs in the background.
	context context.Context //nolint:containedctx // It is the gateway's life, not a request's.
	// stop ends the context of what runs in the background, and over reports whether that has been done.
	stop    context.CancelFunc
	over    func() bool
	running sync.WaitGroup
	closers []func() error
	closed  func() error
}

// newLifetime begins one, with the context of its background work. That is not ended by ctx.
func newLifetime(ctx context.Context) (context.Context, *lifetime) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lifetime{context: ctx, stop: stop, over: func() bool { return ctx.Err() != nil }}

	l.closed = sync.OnceValue(func() error {
		var faults []error
		for _, closer := range slices.Backward(l.closers) {
			faults = append(faults, closer())
		}

		return errors.Join(faults...)
	})

	return ctx, l
}

// atEnd adds what is to be closed at the end, before what was added earlier.
func (l *lifetime) atEnd(closer func() error) { l.closers = append(l.closers, closer) }

// untilEnd runs what serves requests, which go on after stop. Its context ends when it is to be closed.
func (l *lifetime) untilEnd(ctx context.Context, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		run(ctx)
	}()

	l.atEnd(closer(func() {
		cancel()
		<-ended
	}))
}

// end stops the background work, waits for it, and closes what was opened. Further calls change nothing.
func (l *lifetime) end() error {
	l.stop()
	l.running.Wait()

	return l.closed()
}

// closer is a function without an error for atEnd.
func closer(f func()) func() error {
	return func() error {
		f()

		return nil
	}
}
