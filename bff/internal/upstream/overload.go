package upstream

import (
	"errors"
	"time"
)

// ErrOverloaded is the cause of a call that was refused because as many are in flight as the backend can handle at once.
var ErrOverloaded = errors.New("too many calls are in flight")

// retryAfter is how long a refused caller should wait: in that time a backend handles many times what is in flight.
const retryAfter = time.Second
