package reqinfo

import "math"

// What a request may make the gateway allocate: a multiple of its body on the wire, plus a constant. In all, a request, or a
// message of a stream, costs at most 100 times its bytes and 8 MB (docs/security.md); the rest is for what is not counted, such as
// the connection, the call to the backend, and the rules.
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

// Release resets what has been spent, which is garbage by now.
func (r *Record) Release() { r.spent.Store(0) }

// MemoryLeft returns how many more bytes may be allocated because of what is in the body. It may be negative.
func (r *Record) MemoryLeft() int64 { return r.MemoryLeftFor(math.MaxInt) }

// MemoryLeftFor is MemoryLeft for a part of the body of this decompressed size, which may not cost more than if it had been sent
// alone, without compression.
func (r *Record) MemoryLeftFor(size int) int64 {
	return memoryBase + memoryFactor*min(int64(size), r.WireBytes()) - r.spent.Load()
}
