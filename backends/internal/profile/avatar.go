package profile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

const (
	// sweepInterval is how often leftovers are looked for.
	sweepInterval = time.Minute
	// maxPause is how long an upload may send nothing: more than the whole of one may take at the gateway.
	maxPause = 5 * time.Minute
	// discardTimeout is for deleting a picture of 256 MiB, with room to spare.
	discardTimeout = 10 * time.Second
)

// Run deletes what uploads left behind when their process ended, now and then until ctx ends. Other processes may be uploading to
// the same database.
func (s *Service) Run(ctx context.Context) {
	again := time.NewTicker(sweepInterval)
	defer again.Stop()

	for {
		if err := sweep(ctx, s.db, time.Now().Add(-maxPause)); err != nil && ctx.Err() == nil {
			s.logger.ErrorContext(ctx, "avatar leftovers stay", "error", err)
		}

		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// UploadAvatar replaces the user's picture once all of the new one is there. The header metadata has its entity tag.
func (s *Service) UploadAvatar(stream profilev1.ProfileService_UploadAvatarServer) error {
	ctx := stream.Context()

	first, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("receive picture: %w", err)
	}

	if err := caller.From(ctx).Authenticated(); err != nil {
		return err
	}

	if err != nil { // Nobody can say whose picture was meant.
		return wrongFile("must not be empty")
	}

	if err := authorize(ctx, first.GetUserId()); err != nil {
		return err
	}

	u := newUpload(s.db, first.GetUserId(), first.GetFile().GetContentType())

	obsolete, err := receive(stream, u, first)
	if err != nil {
		obsolete = u.version
	}

	s.discard(ctx, obsolete)

	if err != nil {
		return err
	}

	if err := stream.SetHeader(metadata.Pairs("etag", u.GetEtag())); err != nil {
		return fmt.Errorf("set header: %w", err)
	}

	if err := stream.SendAndClose(u.Avatar); err != nil {
		return fmt.Errorf("send avatar: %w", err)
	}

	return nil
}

// receive takes the picture in and shows it. It gives the version that this replaces, if any.
func receive(
	stream profilev1.ProfileService_UploadAvatarServer, u *upload, piece *profilev1.UploadAvatarRequest,
) (replaced string, err error) {
	for ; err == nil; piece, err = stream.Recv() {
		if piece.GetUserId() != u.GetUserId() {
			var v fault.Violations
			v.Addf("user_id", "must be the same in all pieces")

			return "", v.Err()
		}

		if err := u.write(stream.Context(), piece.GetFile().GetData()); err != nil {
			return "", err
		}
	}

	if !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("receive picture: %w", err)
	}

	return u.publish(stream.Context())
}

// discard deletes a version that nobody is to see, also if the call is over. What it cannot delete, Run does later.
func (s *Service) discard(ctx context.Context, version string) {
	if version == "" {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()

	if err := discard(ctx, s.db, version); err != nil {
		s.logger.WarnContext(ctx, "avatar is deleted later", "error", err)
	}
}

// GetAvatar reads the user's picture, or a range of its bytes. The header metadata has what an HTTP answer needs.
func (s *Service) GetAvatar(req *profilev1.GetAvatarRequest, stream profilev1.ProfileService_GetAvatarServer) error {
	ctx := stream.Context()
	if err := authorize(ctx, req.GetUserId()); err != nil {
		return err
	}

	p, err := loadPicture(ctx, s.db, req.GetUserId())
	if errors.Is(err, sql.ErrNoRows) {
		return fault.NotFound("user %q has no avatar", req.GetUserId())
	}

	if err != nil {
		return err
	}

	part, ranged, err := p.part(req)
	if err != nil {
		// RFC 9110, section 15.5.17.
		return errors.Join(err, stream.SetHeader(metadata.Pairs("content-range", fmt.Sprintf("bytes */%d", p.GetSizeBytes()))))
	}

	return s.send(stream, p, part, p.header(part, ranged))
}

// send reads chunk by chunk, so that a slow reader holds no connection to the database. All are of one version. The header and the
// type go with the first; if there is none, they would describe an error.
func (s *Service) send(stream profilev1.ProfileService_GetAvatarServer, p picture, part byteRange, header metadata.MD) error {
	for at := part.first; at <= part.last; {
		data, err := readChunk(stream.Context(), s.db, p.version, at)
		if err != nil {
			return err
		}

		body := &httpbody.HttpBody{Data: data[:min(int64(len(data)), part.remaining(at))]}

		if at == part.first {
			body.ContentType = p.GetContentType()

			if err := stream.SetHeader(header); err != nil {
				return fmt.Errorf("set header: %w", err)
			}
		}

		if err := stream.Send(body); err != nil {
			return fmt.Errorf("send picture: %w", err)
		}

		at += int64(len(body.GetData()))
	}

	return nil
}
