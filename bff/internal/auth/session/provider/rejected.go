package provider

// rejected is ErrClient and ErrUnavailable, without the text of the latter: the provider has replied.
type rejected struct{}

// Error implements error.
func (rejected) Error() string { return ErrClient.Error() }

// Is reports whether it is the target, for errors.Is.
func (rejected) Is(target error) bool {
	return target == ErrClient || target == ErrUnavailable
}
