package bff_test

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

// mirror answers with what it gets.
type mirror struct {
	everyv1.UnimplementedEveryServiceServer

	// ended is told how each stream ended.
	ended chan error
	// release lets streams go on that wait for it.
	release chan struct{}
	// header is what Check, Count and Download say beside their answers, and contentType, if set, the type of files.
	header      metadata.MD
	contentType string
	// incoming, if set, is told the metadata of each call to Check.
	incoming chan metadata.MD
}

func (mirror) Echo(_ context.Context, m *everyv1.Every) (*everyv1.Every, error) { return m, nil }

func (mirror) Update(_ context.Context, m *everyv1.UpdateRequest) (*everyv1.UpdateRequest, error) {
	return m, nil
}

func (b mirror) Check(ctx context.Context, m *everyv1.CheckRequest) (*everyv1.CheckRequest, error) {
	if b.incoming != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		b.incoming <- md
	}

	if b.header != nil {
		return m, grpc.SetHeader(ctx, b.header)
	}

	return m, grpc.SetHeader(ctx, metadata.Pairs("etag", `"`+m.GetNote()+`"`, "x-secret", "s", "location", "/x"))
}

// Count does at the end what the string says.
func (b mirror) Count(m *everyv1.Every, stream grpc.ServerStreamingServer[everyv1.Every]) (err error) {
	defer func() {
		if b.ended != nil {
			b.ended <- context.Cause(stream.Context())
		}
	}()

	if err := stream.SetHeader(b.header); err != nil {
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
		case <-b.release:
		}

		return stream.Context().Err()
	}

	return nil
}

func (b mirror) Collect(stream grpc.ClientStreamingServer[everyv1.Every, everyv1.Everies]) error {
	out := &everyv1.Everies{}

	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(out)
		}

		if err != nil {
			if b.ended != nil {
				b.ended <- err
			}

			return err
		}

		out.Everies = append(out.Everies, m)
	}
}

func (mirror) Talk(stream grpc.BidiStreamingServer[everyv1.Every, everyv1.Every]) error {
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

func (mirror) Upload(stream grpc.ClientStreamingServer[httpbody.HttpBody, everyv1.Uploaded]) error {
	out, err := taken(func() (string, string, *httpbody.HttpBody, error) {
		piece, err := stream.Recv()

		return "", "", piece, err
	})
	if err != nil {
		return err
	}

	return stream.SendAndClose(out)
}

func (b mirror) UploadFile(stream grpc.ClientStreamingServer[everyv1.UploadFileRequest, everyv1.Uploaded]) error {
	out, err := taken(func() (string, string, *httpbody.HttpBody, error) {
		m, err := stream.Recv()

		return m.GetName(), m.GetNote(), m.GetFile(), err
	})
	if err != nil {
		if b.ended != nil {
			b.ended <- err
		}

		return err
	}

	return stream.SendAndClose(out)
}

func (b mirror) UploadSmall(_ context.Context, m *everyv1.UploadFileRequest) (*httpbody.HttpBody, error) {
	if b.contentType != "" {
		m.File.ContentType = b.contentType
	}

	return m.GetFile(), nil
}

// Download sends as many bytes as the name says; with a range, it says that it has a part or none; "torn" breaks off.
func (b mirror) Download(m *everyv1.DownloadRequest, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
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

	header := metadata.Join(metadata.Pairs("etag", `"e"`), b.header)
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
		if err := stream.Send(&httpbody.HttpBody{ContentType: cmp.Or(b.contentType, "application/x-zeros"), Data: make([]byte, n)}); err != nil {
			return err
		}

		size -= n
	}

	return nil
}

// startMirror serves every.v1.EveryService to everyone.
func startMirror(t *testing.T, change func(*config.Config)) *site {
	t.Helper()

	return startMirrorOf(t, mirror{}, change, nil)
}

// startMirrorOf serves a mirror, with a policy for all of its methods.
func startMirrorOf(
	t *testing.T, m everyv1.EveryServiceServer, change func(*config.Config), policy *porticov1.MethodPolicy, more ...bff.Option,
) *site {
	t.Helper()

	compiled, backend := compileMirror(t, m, change, policy, more...)
	s := siteOf(t, compiled)
	s.stopBackend = backend.Stop

	return s
}

// compileMirror starts a mirror and returns the gateway for it, which is not open.
func compileMirror(
	t *testing.T, m everyv1.EveryServiceServer, change func(*config.Config), policy *porticov1.MethodPolicy, more ...bff.Option,
) (*bff.Compiled, *grpc.Server) {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var options []grpc.ServerOption
	if m, ok := m.(interface{ serverOptions() []grpc.ServerOption }); ok {
		options = m.serverOptions()
	}

	server := grpc.NewServer(options...)
	everyv1.RegisterEveryServiceServer(server, m)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	cfg := config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"every": {Addresses: []string{listener.Addr().String()}}},
	}
	if change != nil {
		change(&cfg)
	}

	gatewayOptions := []bff.Option{quiet(), bff.WithHandlers("every", everyv1.RegisterEveryServiceHandler, "every.v1.EveryService")}
	gatewayOptions = append(gatewayOptions, more...)

	if policy != nil {
		gatewayOptions = append(gatewayOptions, bff.WithDefaultPolicy(policy))
	}

	return compile(t, cfg, gatewayOptions...), server
}

// overHTTP2 is the same site over HTTP/2.
func (s *site) overHTTP2(t *testing.T) *site {
	t.Helper()

	server := httptest.NewUnstartedServer(s.gw)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)

	return &site{backend: s.backend, gw: s.gw, compiled: s.compiled, url: server.URL, client: server.Client()}
}

// versions are the site over HTTP/1.1 and over HTTP/2.
func (s *site) versions(t *testing.T) map[string]*site {
	t.Helper()

	return map[string]*site{"HTTP/1.1": s, "HTTP/2": s.overHTTP2(t)}
}
