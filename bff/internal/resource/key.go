package resource

import (
	"context"
	"encoding/json"
	"fmt"
)

// Key makes a key of parts of a configuration, which is plain data. It may hold secrets and is not for people.
func Key(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil { // JSON has no NaN.
		return fmt.Sprintf("%#v", parts)
	}

	return string(text)
}

// Background runs something until the lease is released, which ends the context and waits.
func (l *Lease) Background(run func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		run(ctx)
	}()

	l.AtEnd(func() error {
		stop()
		<-ended

		return nil
	})
}
