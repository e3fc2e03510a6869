package profile

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

const (
	// maxAvatarBytes is what the gateway lets through (max_body_bytes). A picture is held in memory while it comes in or goes out.
	maxAvatarBytes = 4 << 20
	// maxAvatars is how many users may have a picture.
	maxAvatars = 1000
	// pieceBytes is how a picture is cut when it is sent.
	pieceBytes = 64 << 10
)

// UploadAvatar replaces the user's picture once all of the new one is there. The header metadata has its entity tag.
func (s *Service) UploadAvatar(stream profilev1.ProfileService_UploadAvatarServer) error {
	ctx := stream.Context()

	userID, file, err := receive(stream)
	if err != nil {
		return err
	}

	p, err := newPicture(userID, file)
	if err != nil {
		return err
	}

	if err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) error { return storePicture(ctx, tx, p) }); err != nil {
		return err
	}

	if err := stream.SetHeader(metadata.Pairs("etag", p.GetEtag())); err != nil {
		return fmt.Errorf("set header: %w", err)
	}

	if err := stream.SendAndClose(p.Avatar); err != nil {
		return fmt.Errorf("send avatar: %w", err)
	}

	return nil
}

// receive takes in a file. The caller is checked as soon as the first piece says whose it is.
func receive(stream profilev1.ProfileService_UploadAvatarServer) (userID string, file *httpbody.HttpBody, err error) {
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return userID, file, nil
		}

		if err != nil {
			return "", nil, fmt.Errorf("receive picture: %w", err)
		}

		if file == nil {
			if err := authorize(stream.Context(), piece.GetUserId()); err != nil {
				return "", nil, err
			}

			userID, file = piece.GetUserId(), &httpbody.HttpBody{ContentType: piece.GetFile().GetContentType()}
		}

		if piece.GetUserId() != userID {
			var v fault.Violations
			v.Addf("user_id", "must be the same in all pieces")

			return "", nil, v.Err()
		}

		if len(file.GetData())+len(piece.GetFile().GetData()) > maxAvatarBytes {
			return "", nil, wrongFile("must have at most %d bytes", maxAvatarBytes)
		}

		file.Data = append(file.Data, piece.GetFile().GetData()...)
	}
}

// picture is an avatar with its bytes.
type picture struct {
	*profilev1.Avatar

	data []byte
}

// newPicture is of a file that is a picture, of the type that was declared if there was one.
func newPicture(userID string, file *httpbody.HttpBody) (picture, error) {
	if len(file.GetData()) == 0 {
		return picture{}, wrongFile("must not be empty")
	}

	found := http.DetectContentType(file.GetData())
	if accepted := []string{"image/png", "image/jpeg", "image/gif", "image/webp"}; !slices.Contains(accepted, found) {
		return picture{}, wrongFile("must be one of %s", strings.Join(accepted, ", "))
	}

	if declared := file.GetContentType(); declared != "" {
		said, _, err := mime.ParseMediaType(declared)
		if err != nil || said != found && said != "application/octet-stream" {
			return picture{}, wrongFile("is %s and not of the media type that is declared", found)
		}
	}

	return picture{data: file.GetData(), Avatar: &profilev1.Avatar{
		UserId: userID, ContentType: found, SizeBytes: int64(len(file.GetData())), Etag: entityTag(file.GetData()),
		UpdateTime: sqlstore.Now(),
	}}, nil
}

// entityTag is a strong one (RFC 9110, section 8.8.3).
func entityTag(data []byte) string {
	sum := sha256.Sum256(data)

	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func wrongFile(format string, args ...any) error {
	var v fault.Violations
	v.Addf("file", format, args...)

	return v.Err()
}

// GetAvatar reads the user's picture, or a range of its bytes. The header metadata has what an HTTP response needs.
func (s *Service) GetAvatar(req *profilev1.GetAvatarRequest, stream profilev1.ProfileService_GetAvatarServer) error {
	if err := authorize(stream.Context(), req.GetUserId()); err != nil {
		return err
	}

	p, err := loadPicture(stream.Context(), s.db, req.GetUserId())
	if err != nil {
		return err
	}

	part, ranged, err := p.part(req)
	if err != nil {
		// RFC 9110, section 15.5.17.
		return errors.Join(err, stream.SetHeader(metadata.Pairs("content-range", fmt.Sprintf("bytes */%d", p.GetSizeBytes()))))
	}

	if err := stream.SetHeader(p.header(part, ranged)); err != nil {
		return fmt.Errorf("set header: %w", err)
	}

	contentType := p.GetContentType()

	for data := range slices.Chunk(p.data[part.first:part.last+1], pieceBytes) {
		if err := stream.Send(&httpbody.HttpBody{ContentType: contentType, Data: data}); err != nil {
			return fmt.Errorf("send picture: %w", err)
		}

		contentType = "" // It goes with the first piece alone.
	}

	return nil
}

func loadPicture(ctx context.Context, db sqlstore.Queryer, userID string) (picture, error) {
	var (
		p       = picture{Avatar: &profilev1.Avatar{UserId: userID}}
		updated int64
	)

	err := db.QueryRowContext(ctx, `SELECT content_type, data, etag, update_time FROM avatars WHERE user_id = ?`, userID).
		Scan(&p.ContentType, &p.data, &p.Etag, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return picture{}, fault.NotFound("user %q has no avatar", userID)
	}

	if err != nil {
		return picture{}, fmt.Errorf("read avatar: %w", err)
	}

	p.SizeBytes = int64(len(p.data))
	p.UpdateTime = sqlstore.Timestamp(updated)

	return p, nil
}

// storePicture replaces the picture of a user, or adds one if there is room.
func storePicture(ctx context.Context, tx *sql.Tx, p picture) error {
	var others int

	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM avatars WHERE user_id <> ?`, p.GetUserId()).Scan(&others)
	if err != nil {
		return fmt.Errorf("count avatars: %w", err)
	}

	if others >= maxAvatars {
		return fault.ResourceExhausted(nil, "there is no room for more than %d avatars", maxAvatars)
	}

	_, err = tx.ExecContext(ctx,
		`INSERT INTO avatars (user_id, content_type, data, etag, update_time) VALUES (?, ?, ?, ?, ?)
		 ON CONFLICT (user_id) DO UPDATE SET
		   content_type = excluded.content_type, data = excluded.data, etag = excluded.etag, update_time = excluded.update_time`,
		p.GetUserId(), p.GetContentType(), p.data, p.GetEtag(), sqlstore.Micros(p.GetUpdateTime()))
	if err != nil {
		return fmt.Errorf("store avatar: %w", err)
	}

	return nil
}
