package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
)

// Systemd are the sockets that systemd has opened for the process (sd_listen_fds(3)). It takes them from the environment when the
// first one is needed, and removes the variables: they are for this process alone, and another Systemd has none. It is safe for
// concurrent use.
type Systemd struct {
	environment sync.Once

	mu    sync.Mutex
	files []*os.File
}

// Unused are the names of the sockets that were not opened, if any was.
func (s *Systemd) Unused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return names(s.files)
}

// take opens the socket of a name. systemd keeps it open, so that connections wait in its backlog while no process accepts them.
func (s *Systemd) take(name string) (Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.environment.Do(func() { s.files = activation.Files(true) })

	var file *os.File

	for _, f := range s.files {
		if f.Name() != name {
			continue
		}

		if file != nil {
			return nil, fmt.Errorf(
				"systemd has passed more than one socket named %q; each needs a FileDescriptorName= of its own", name)
		}

		file = f
	}

	if file == nil {
		return nil, missing(name, names(s.files))
	}

	s.files = slices.DeleteFunc(s.files, func(f *os.File) bool { return f == file })

	// The listener has a descriptor of its own.
	listener, err := net.FileListener(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("the socket that systemd has passed as %q: %w", name, err)
	}

	switch l := listener.(type) {
	case *net.TCPListener:
		return l, nil
	case *net.UnixListener:
		return unixListener{l}, nil
	default:
		return nil, errors.Join(fmt.Errorf("systemd has passed a socket that is not one of ListenStream= as %q", name),
			listener.Close())
	}
}

func missing(name string, passed []string) error {
	if len(passed) == 0 {
		return fmt.Errorf("systemd has passed no socket; start the service by a .socket unit with FileDescriptorName=%s", name)
	}

	return fmt.Errorf("systemd has passed no socket named %q (FileDescriptorName= of the .socket unit), but %s", name,
		strings.Join(passed, ", "))
}

func names(files []*os.File) []string {
	list := make([]string, 0, len(files))
	for _, f := range files {
		list = append(list, f.Name())
	}

	return list
}
