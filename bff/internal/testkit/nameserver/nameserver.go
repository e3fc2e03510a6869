// Package nameserver is a DNS server with one name, whose addresses a test changes.
package nameserver

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Name is the name that it knows.
const Name = "backend.test"

// maxOverUDP is how many addresses fit in a reply over UDP. Clients ask for more over TCP.
const maxOverUDP = 2

// Server is a DNS server. It is safe for concurrent use.
type Server struct {
	// Address is where it listens, over UDP and TCP.
	Address string

	mu      sync.Mutex
	ips     []net.IP
	failing bool
	queries int
}

// Start serves the name with these addresses until the test ends.
func Start(tb testing.TB, ips ...string) *Server {
	tb.Helper()

	s := &Server{}
	s.Set(ips...)

	stream, packets := listen(tb)
	s.Address = stream.Addr().String()

	var wg sync.WaitGroup

	wg.Go(func() { s.overUDP(packets) })
	wg.Go(func() { s.overTCP(stream) })
	tb.Cleanup(func() {
		_ = stream.Close()
		_ = packets.Close()

		wg.Wait()
	})

	return s
}

// listen listens on the same port over both protocols. Another program may have one of the two.
func listen(tb testing.TB) (net.Listener, net.PacketConn) {
	tb.Helper()

	const tries = 20

	var err error

	for range tries {
		var stream net.Listener
		if stream, err = (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0"); err != nil {
			break
		}

		var packets net.PacketConn
		if packets, err = (&net.ListenConfig{}).ListenPacket(tb.Context(), "udp", stream.Addr().String()); err == nil {
			return stream, packets
		}

		_ = stream.Close()
	}

	tb.Fatal(err)

	return nil, nil
}

// Set changes the addresses of the name, all IPv4. Without one, the name does not exist.
func (s *Server) Set(ips ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.ips = nil
	for _, ip := range ips {
		s.ips = append(s.ips, net.ParseIP(ip).To4())
	}
}

// SetFailing sets whether it replies SERVFAIL.
func (s *Server) SetFailing(failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.failing = failing
}

// Queries returns how many queries for IPv4 addresses of the name there were.
func (s *Server) Queries() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.queries
}

func (s *Server) overUDP(packets net.PacketConn) {
	buffer := make([]byte, 1500)

	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}

		if reply, err := s.reply(buffer[:n], maxOverUDP); err == nil {
			_, _ = packets.WriteTo(reply, from)
		}
	}
}

func (s *Server) overTCP(stream net.Listener) {
	for {
		conn, err := stream.Accept()
		if err != nil {
			return
		}

		s.serve(conn)

		_ = conn.Close()
	}
}

// serve replies to one query: each has its size before it (RFC 1035, section 4.2.2).
func (s *Server) serve(conn net.Conn) {
	size := make([]byte, 2)
	if _, err := io.ReadFull(conn, size); err != nil {
		return
	}

	query := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}

	const all = 100
	if reply, err := s.reply(query, all); err == nil {
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	}
}

func (s *Server) reply(query []byte, limit int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}

	question := message.Questions[0]
	message.Additionals = nil
	message.Response = true

	if question.Type == dnsmessage.TypeA && question.Name.String() == Name+"." {
		s.queries++
	}

	switch {
	case s.failing:
		message.RCode = dnsmessage.RCodeServerFailure
	case question.Name.String() != Name+"." || len(s.ips) == 0:
		message.RCode = dnsmessage.RCodeNameError
	case question.Type != dnsmessage.TypeA:
	case len(s.ips) > limit:
		message.Truncated = true
	default:
		for _, ip := range s.ips {
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class},
				Body:   &dnsmessage.AResource{A: [4]byte(ip)},
			})
		}
	}

	return message.Pack()
}
