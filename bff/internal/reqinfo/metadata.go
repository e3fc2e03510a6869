package reqinfo

import "google.golang.org/grpc/metadata"

// Metadata returns what build makes of the record, for backends. It is made once, because the legs of a composite get the same, and
// must not be changed.
func (r *Record) Metadata(build func(*Record) metadata.MD) metadata.MD {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.metadata == nil {
		r.metadata = build(r)
	}

	return r.metadata
}

// ShareMetadata lets r have the metadata that has been made of another record, if it has. Both must have the same for backends.
func (r *Record) ShareMetadata(other *Record) {
	other.mu.Lock()
	made := other.metadata
	other.mu.Unlock()

	r.mu.Lock()
	defer r.mu.Unlock()

	r.metadata = made
}
