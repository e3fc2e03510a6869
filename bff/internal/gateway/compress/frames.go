package compress

import (
	"bufio"
	"encoding/binary"
	"math/bits"
)

// The parts of a zstd frame (RFC 8878, section 3.1).
const (
	magic = "\x28\xb5\x2f\xfd"
	// skippable is the magic of a frame to skip, without its first byte, whose lower half may be anything.
	skippable       = "\x2a\x4d\x18"
	skippableHeader = 8
	blockHeader     = 3
	checksumSize    = 4
	// Flags of the Frame_Header_Descriptor.
	singleSegment = 1 << 5 // There is no window: the content is it.
	hasChecksum   = 1 << 2
	// Types of blocks; the others have as many bytes as they say.
	blockRepeated = 1 // One byte.
	blockReserved = 3
	// blockFlags are the bits of a Block_Header in front of the size.
	blockFlags = 3
)

const (
	maxWindowLog = 23
	minWindowLog = 10
	mantissaBits = 3
	// maxDescriptor is the Window_Descriptor of maxWindow (RFC 8878, section 3.1.1.1.2).
	maxDescriptor = (maxWindowLog - minWindowLog) << mantissaBits
)

// frames reads a body of zstd and reduces the windows of its frames. What it cannot parse it passes on, since the library refuses
// that.
type frames struct {
	r *bufio.Reader
	// window is the largest window that is passed on, and descriptor its Window_Descriptor; most is the largest content.
	window, most int64
	descriptor   byte
	// largest is the largest window that was passed on.
	largest int64
	// reduced and tooLarge report whether there was a larger window than window or than maxWindow.
	reduced, tooLarge bool

	// header is the rest of a changed header, and left the number of bytes between it and the next header.
	header []byte
	left   int64
	// blocks is set within a frame, checksum if it ends with one, and unparsed after what cannot be parsed.
	blocks, checksum, unparsed bool
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	if len(f.header) == 0 && f.left == 0 && !f.unparsed {
		if f.blocks {
			f.unparsed = !f.block()
		} else {
			f.unparsed = !f.frame()
		}
	}

	if len(f.header) > 0 {
		n := copy(p, f.header)
		f.header = f.header[n:]

		return n, nil
	}

	if !f.unparsed {
		p = p[:min(int64(len(p)), f.left)]
	}

	n, err := f.r.Read(p)
	f.left -= int64(n)

	return n, err
}

// frame parses the header of a frame, and reports whether it can.
func (f *frames) frame() bool {
	begin, err := f.r.Peek(len(magic) + 1)
	if err != nil {
		return false
	}

	if begin[0]&0xf0 == 0x50 && string(begin[1:len(magic)]) == skippable {
		begin, err = f.r.Peek(skippableHeader)
		if err != nil {
			return false
		}

		f.left = skippableHeader + int64(binary.LittleEndian.Uint32(begin[len(magic):]))

		return true
	}

	if string(begin[:len(magic)]) != magic {
		return false
	}

	flags := begin[len(magic)]
	sizeAt, sizeLen := headerLayout(flags)

	header, err := f.r.Peek(sizeAt + sizeLen)
	if err != nil {
		return false
	}

	f.header = f.reduce(append([]byte(nil), header...), flags, header[sizeAt:])
	_, _ = f.r.Discard(len(header))

	f.blocks, f.checksum = true, flags&hasChecksum != 0

	return true
}

// headerLayout returns where in a frame the Frame_Content_Size begins and how long it is (RFC 8878, section 3.1.1.1.1).
func headerLayout(flags byte) (sizeAt, sizeLen int) {
	single := int(flags&singleSegment) / singleSegment
	dictionary := []int{0, 1, 2, 4}[flags&3]

	sizeLen = []int{single, 2, 4, 8}[flags>>6]

	return len(magic) + 1 + (1 - single) + dictionary, sizeLen
}

// reduce returns the header of a frame with a permitted window, if possible.
func (f *frames) reduce(header []byte, flags byte, size []byte) []byte {
	const at = len(magic) + 1

	if flags&singleSegment == 0 {
		declared := header[at]
		f.tooLarge = f.tooLarge || declared > maxDescriptor
		f.reduced = f.reduced || declared > f.descriptor

		if declared <= maxDescriptor {
			header[at] = min(declared, f.descriptor)
		}

		f.largest = max(f.largest, min(f.window, windowOf(declared)))

		return header
	}

	content := contentSize(size)
	f.largest = max(f.largest, int64(min(uint64(f.window), content)))

	// The library refuses what is larger than the limits.
	if content <= uint64(f.window) || content > uint64(min(f.most, maxWindow)) {
		return header
	}

	f.reduced = true
	header[len(magic)] &^= singleSegment

	return append(append(header[:at:at], f.descriptor), header[at:]...)
}

func contentSize(size []byte) uint64 {
	var padded [8]byte

	copy(padded[:], size)

	content := binary.LittleEndian.Uint64(padded[:])
	if len(size) == 2 {
		content += 256
	}

	return content
}

// block parses the header of a block, and reports whether it can.
func (f *frames) block() bool {
	begin, err := f.r.Peek(blockHeader)
	if err != nil {
		return false
	}

	header := binary.LittleEndian.Uint32([]byte{begin[0], begin[1], begin[2], 0})
	last, size := header&1 != 0, int64(header>>blockFlags)

	switch header >> 1 & blockReserved {
	case blockRepeated:
		size = 1
	case blockReserved:
		return false
	}

	f.left = blockHeader + size

	if last {
		f.blocks = false

		if f.checksum {
			f.left += checksumSize
		}
	}

	return true
}

// windowOf returns the window of a Window_Descriptor.
func windowOf(descriptor byte) int64 {
	base := int64(1) << (minWindowLog + descriptor>>mantissaBits)
	return base + base>>mantissaBits*int64(descriptor&(1<<mantissaBits-1))
}

// windowFor returns the smallest power of two that is a window for most bytes, and its Window_Descriptor.
func windowFor(most int64) (window int64, descriptor byte) {
	most = min(max(most, maxBlock), maxWindow)
	log := bits.Len64(uint64(most - 1))

	return 1 << log, byte(log-minWindowLog) << mantissaBits
}
