package reqinfo

import "math"

// What a request may make the gateway allocate: so many times what its body took on the wire, and so many bytes on top. A request
// costs at most 100 times its bytes and 8 MB in all, or in a stream at a time (docs/security.md); the rest of that is for what is
// not counted, such as the connection, the call to the backend, and the rules.
const (
	memoryFactor = 50
	memoryBase   = 3 << 20
)

// AddWireBytes counts bytes of the body as the client sent them: compressed, if they were.
func (r *Record) AddWireBytes(n int) { r.wireBytes.Add(int64(n)) }

// WireBytes returns how many bytes of the body have been read, as the client sent them.
func (r *Record) WireBytes() int64 { return r.wireBytes.Load() }

// Spend counts memory, in bytes, that has been allocated because of what is in the body.
func (r *Record) Spend(bytes int64) { r.spent.Add(bytes) }

// Release gives back all that has been spent: it is garbage by now.
func (r *Record) Release() { r.spent.Store(0) }

// MemoryLeft returns how many bytes more may be allocated because of what is in the body. It is negative if it was too much
// already.
func (r *Record) MemoryLeft() int64 { return r.MemoryLeftFor(math.MaxInt) }

// MemoryLeftFor is MemoryLeft for a part of the body, which is so many bytes decompressed and, whatever the rest takes on the wire,
// may not take more than if it had been sent as it is.
func (r *Record) MemoryLeftFor(size int) int64 {
	return memoryBase + memoryFactor*min(int64(size), r.WireBytes()) - r.spent.Load()
}
