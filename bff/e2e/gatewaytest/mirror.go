package gatewaytest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Mirror answers with what it gets.
type Mirror struct {
	everyv1.UnimplementedEveryServiceServer

	// Ended is told how each stream ended.
	Ended chan error
	// Release lets streams go on that wait for it.
	Release chan struct{}
	// Header is what Check, Count and Download say beside their answers, and contentType, if set, the type of files.
	Header      metadata.MD
	ContentType string
	// Incoming, if set, is told the metadata of each call to Check.
	Incoming chan metadata.MD
}

// Echo returns its request.
func (Mirror) Echo(_ context.Context, m *everyv1.Every) (*everyv1.Every, error) { return m, nil }

// Update returns its request.
func (Mirror) Update(_ context.Context, m *everyv1.UpdateRequest) (*everyv1.UpdateRequest, error) {
	return m, nil
}

// Check returns its request, with the header of the mirror.
func (b Mirror) Check(ctx context.Context, m *everyv1.CheckRequest) (*everyv1.CheckRequest, error) {
	if b.Incoming != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		b.Incoming <- md
	}

	if b.Header != nil {
		return m, grpc.SetHeader(ctx, b.Header)
	}

	return m, grpc.SetHeader(ctx, metadata.Pairs("etag", `"`+m.GetNote()+`"`, "x-secret", "s", "location", "/x"))
}

// Count does at the end what the string says.
func (b Mirror) Count(m *everyv1.Every, stream grpc.ServerStreamingServer[everyv1.Every]) (err error) {
	defer func() {
		if b.Ended != nil {
			b.Ended <- context.Cause(stream.Context())
		}
	}()

	if err := stream.SetHeader(b.Header); err != nil {
		return err
	}

	for i := range m.GetInt32Field() {
		out := &everyv1.Every{Int32Field: i + 1, Strings: m.GetStrings(), StringField: m.GetOptionalString()}
		if err := stream.Send(out); err != nil {
			return err
		}
	}

	switch m.GetStringField() {
	case "fail":
		st, err := status.New(codes.FailedPrecondition, "no more").WithDetails(&errdetails.ErrorInfo{Reason: "OVER", Domain: "every"})
		if err != nil {
			return err
		}

		return st.Err()
	case "hang":
		select {
		case <-stream.Context().Done():
		case <-b.Release:
		}

		return stream.Context().Err()
	}

	return nil
}

// Collect returns all that was sent.
func (b Mirror) Collect(stream grpc.ClientStreamingServer[everyv1.Every, everyv1.Everies]) error {
	out := &everyv1.Everies{}

	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(out)
		}

		if err != nil {
			if b.Ended != nil {
				b.Ended <- err
			}

			return err
		}

		out.Everies = append(out.Everies, m)
	}
}

// Talk returns each message, and fails if it says so.
func (Mirror) Talk(stream grpc.BidiStreamingServer[everyv1.Every, everyv1.Every]) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return err
		}

		if m.GetStringField() == "fail" {
			return status.Error(codes.FailedPrecondition, "no more")
		}

		if err := stream.Send(m); err != nil {
			return err
		}
	}
}

// taken sums up an upload.
func taken(next func() (name, note string, piece *httpbody.HttpBody, err error)) (*everyv1.Uploaded, error) {
	out, sum := &everyv1.Uploaded{}, sha256.New()

	for {
		name, note, piece, err := next()
		if errors.Is(err, io.EOF) {
			out.Sha256 = hex.EncodeToString(sum.Sum(nil))

			return out, nil
		}

		if err != nil {
			return nil, err
		}

		if out.Pieces++; out.GetPieces() == 1 {
			out.Name, out.Note, out.ContentType = name, note, piece.GetContentType()
		}

		out.SizeBytes += int64(len(piece.GetData()))

		sum.Write(piece.GetData())
	}
}

// Upload returns what the upload was.
func (Mirror) Upload(stream grpc.ClientStreamingServer[httpbody.HttpBody, everyv1.Uploaded]) error {
	out, err := taken(func() (string, string, *httpbody.HttpBody, error) {
		piece, err := stream.Recv()

		return "", "", piece, err
	})
	if err != nil {
		return err
	}

	return stream.SendAndClose(out)
}

// UploadFile returns what the upload was.
func (b Mirror) UploadFile(stream grpc.ClientStreamingServer[everyv1.UploadFileRequest, everyv1.Uploaded]) error {
	out, err := taken(func() (string, string, *httpbody.HttpBody, error) {
		m, err := stream.Recv()

		return m.GetName(), m.GetNote(), m.GetFile(), err
	})
	if err != nil {
		if b.Ended != nil {
			b.Ended <- err
		}

		return err
	}

	return stream.SendAndClose(out)
}

// UploadSmall returns the file.
func (b Mirror) UploadSmall(_ context.Context, m *everyv1.UploadFileRequest) (*httpbody.HttpBody, error) {
	if b.ContentType != "" {
		m.File.ContentType = b.ContentType
	}

	return m.GetFile(), nil
}

// Download sends as many bytes as the name says; with a range, it says that it has a part or none; "torn" breaks off.
func (b Mirror) Download(m *everyv1.DownloadRequest, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	const piece = 64 << 10

	if m.GetName() == "torn" {
		if err := stream.Send(&httpbody.HttpBody{ContentType: "text/plain", Data: make([]byte, piece)}); err != nil {
			return err
		}

		return status.Error(codes.DataLoss, "disk 7")
	}

	size, err := strconv.Atoi(m.GetName())
	if err != nil {
		return status.Error(codes.NotFound, "no such file")
	}

	header := metadata.Join(metadata.Pairs("etag", `"e"`), b.Header)
	if len(header.Get("x-content-length")) == 0 {
		header.Set("x-content-length", strconv.Itoa(size))
	}

	switch m.GetRange() {
	case "":
	case "bytes=0-0":
		header = metadata.Pairs("etag", `"e"`, "x-content-length", "1", "content-range", fmt.Sprintf("bytes 0-0/%d", size))
		size = 1
	default:
		if err := stream.SetHeader(metadata.Pairs("content-range", fmt.Sprintf("bytes */%d", size))); err != nil {
			return err
		}

		return status.Error(codes.OutOfRange, "no such bytes")
	}

	if err := stream.SetHeader(header); err != nil {
		return err
	}

	for size > 0 {
		n := min(size, piece)
		if err := stream.Send(&httpbody.HttpBody{ContentType: cmp.Or(b.ContentType, "application/x-zeros"), Data: make([]byte, n)}); err != nil {
			return err
		}

		size -= n
	}

	return nil
}

// StartMirror serves every.v1.EveryService to everyone.
func StartMirror(t *testing.T, change func(*config.Config)) *Site {
	t.Helper()

	return StartMirrorOf(t, Mirror{}, change, nil)
}

// StartMirrorOf serves a mirror, with a policy for all of its methods.
func StartMirrorOf(
	t *testing.T, m everyv1.EveryServiceServer, change func(*config.Config), policy *porticov1.MethodPolicy, more ...bff.Option,
) *Site {
	t.Helper()

	cfg, options, backend := mirrorOf(t, m, change, policy)
	s := &Site{StopBackend: backend.Stop}
	s.open(t.Context(), t, Compile(t, cfg, append(options, more...)...), sameAs(t, "mirror "+policy.String(), cfg, more...))

	return s
}

// CompileMirror starts a mirror and returns the gateway for it, which is not open.
func CompileMirror(t *testing.T, m everyv1.EveryServiceServer, change func(*config.Config)) *bff.Compiled {
	t.Helper()

	cfg, options, _ := mirrorOf(t, m, change, nil)

	return Compile(t, cfg, options...)
}

// mirrorOf starts a mirror, and returns what the gateway for it is made of.
func mirrorOf(
	t *testing.T, m everyv1.EveryServiceServer, change func(*config.Config), policy *porticov1.MethodPolicy,
) (config.Config, []bff.Option, *grpc.Server) {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var options []grpc.ServerOption
	if m, ok := m.(interface{ ServerOptions() []grpc.ServerOption }); ok {
		options = m.ServerOptions()
	}

	server := grpc.NewServer(options...)
	everyv1.RegisterEveryServiceServer(server, m)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	cfg := config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"every": Upstream(listener.Addr().String())},
	}
	if change != nil {
		change(&cfg)
	}

	gatewayOptions := []bff.Option{Quiet(), bff.WithHandlers("every", everyv1.RegisterEveryServiceHandler, "every.v1.EveryService")}
	if policy != nil {
		gatewayOptions = append(gatewayOptions, bff.WithDefaultPolicy(policy))
	}

	return cfg, gatewayOptions, server
}

// OverHTTP2 is the same site over HTTP/2.
func (s *Site) OverHTTP2(t *testing.T) *Site {
	t.Helper()

	server := httptest.NewUnstartedServer(s.Gateway)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)

	return &Site{Backend: s.Backend, Gateway: s.Gateway, Compiled: s.Compiled, URL: server.URL, Client: server.Client()}
}

// Versions are the site over HTTP/1.1 and over HTTP/2.
func (s *Site) Versions(t *testing.T) map[string]*Site {
	t.Helper()

	return map[string]*Site{"HTTP/1.1": s, "HTTP/2": s.OverHTTP2(t)}
}
