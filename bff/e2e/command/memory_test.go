package command_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// peak is the most memory in KiB that the process ever had.
func (p *process) peak(t *testing.T) int {
	t.Helper()

	return p.memory(t, "VmHWM")
}

// memory is a line of the process's status in KiB.
func (p *process) memory(t *testing.T, line string) int {
	t.Helper()

	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}

	kib, err := strconv.Atoi(string(regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(text)[1]))
	if err != nil {
		t.Fatal(err)
	}

	return kib
}

// picture reads as a PNG of so many bytes, of which the rest is noise.
func picture(size int64) io.Reader {
	const signature = "\x89PNG\r\n\x1a\n"

	return io.LimitReader(io.MultiReader(&signed{text: signature}, rand.NewChaCha8([32]byte{})), size)
}

type signed struct{ text string }

func (s *signed) Read(p []byte) (int, error) {
	if s.text == "" {
		return 0, io.EOF
	}

	n := copy(p, s.text)
	s.text = s.text[n:]

	return n, nil
}

// files is a backend that takes files of any size, and gives them back if they are those of picture.
type files struct {
	profilev1.UnimplementedProfileServiceServer

	size atomic.Int64
}

func serveFiles(t *testing.T) (address string) {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	profilev1.RegisterProfileServiceServer(server, &files{})

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

func (f *files) UploadAvatar(stream profilev1.ProfileService_UploadAvatarServer) error {
	sum, want, size := sha256.New(), sha256.New(), int64(0)

	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			return err
		}

		n, _ := sum.Write(piece.GetFile().GetData())
		size += int64(n)
	}

	if _, _ = io.Copy(want, picture(size)); !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		return status.Errorf(codes.InvalidArgument, "%d bytes are not those of the picture", size)
	}

	f.size.Store(size)

	return stream.SendAndClose(&profilev1.Avatar{SizeBytes: size})
}

func (f *files) GetAvatar(_ *profilev1.GetAvatarRequest, stream profilev1.ProfileService_GetAvatarServer) error {
	rest, piece := picture(f.size.Load()), make([]byte, 31<<10)

	for {
		n, _ := io.ReadFull(rest, piece) // The last piece is short.
		if n == 0 {
			return nil
		}

		if err := stream.Send(&httpbody.HttpBody{ContentType: "image/png", Data: piece[:n]}); err != nil {
			return err
		}
	}
}

// A file of 100 MB goes through the gateway in both directions, over both versions of HTTP, and the gateway stays small if it is told
// to.
func TestLargeFilesTakeLittleMemory(t *testing.T) {
	const (
		size = 100 << 20
		most = 48 << 10 // KiB, more than it takes without any request. It was 28 to 37 MiB; a file that is held would be 100.
	)

	backends := startDevOf(t, binary, t.TempDir())

	// Left to itself it takes more memory, to save time.
	t.Setenv("GOGC", "100")

	alice := backends.token(t, "alice")
	upstreams := regexp.MustCompile(`(?m)^  profile: .*`).ReplaceAllLiteralString(backends.upstreams(t), "  profile: {addresses: ["+serveFiles(t)+"]}")
	policies := fmt.Sprintf("policies:\n  - {selector: profile.v1.ProfileService.UploadAvatar, set: {max_body_bytes: %d}}\n", size)
	gateway := startServeOf(t, binary, writeFile(t, "portico.yaml", upstreams+policies+"auth:\n  issuers:\n    - "+
		"issuer: https://dev.portico.invalid\n      audiences: [portico]\n      jwks_file: "+
		filepath.Join(backends.dataDir, "dev-issuer.jwks.json")+"\n"))

	idle := gateway.peak(t)

	sum := sha256.New()
	if _, err := io.Copy(sum, picture(size)); err != nil {
		t.Fatal(err)
	}

	for _, http2 := range []bool{false, true} {
		var protocols http.Protocols

		protocols.SetHTTP1(!http2)
		protocols.SetUnencryptedHTTP2(http2)

		c := client{process: gateway, http: &http.Client{Transport: checked(&http.Transport{Protocols: &protocols})}}

		up := c.open(t, http.MethodPut, "/v1/users/alice/avatar", alice, picture(size), "Content-Type", "image/png")
		defer up.Body.Close()

		if text, _ := io.ReadAll(up.Body); up.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", up.StatusCode, text)
		}

		down := c.open(t, http.MethodGet, "/v1/users/alice/avatar", alice, http.NoBody)
		defer down.Body.Close()

		got := sha256.New()

		if n, err := io.Copy(got, down.Body); err != nil || n != size || string(got.Sum(nil)) != string(sum.Sum(nil)) {
			t.Errorf("%d bytes came back: %v", n, err)
		}

		c.http.CloseIdleConnections()
		t.Logf("HTTP/2 %t: %d KiB at most", http2, gateway.peak(t))
	}

	if got := gateway.peak(t) - idle; got > most {
		t.Errorf("the gateway took %d KiB more than the %d KiB of before", got, idle)
	}
}
