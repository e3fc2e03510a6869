package config

// Fault is something wrong with one setting.
type Fault struct { //nolint:errname // It is what is wrong, which is told where it was set.
	// Path is the setting as in the file, such as "upstreams.user.addresses[0]".
	Path string
	// Err says what is wrong, without the path.
	Err error
}

// Error implements error.
func (f *Fault) Error() string { return f.Path + ": " + f.Err.Error() }

// Unwrap returns what is wrong.
func (f *Fault) Unwrap() error { return f.Err }
