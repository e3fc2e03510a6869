package profile

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"hash"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

const (
	// chunkSize is how pictures are cut, whatever the pieces are that they come in, and the most of one that is held in memory.
	chunkSize = 31 << 10
	// maxAvatar is what the gateway lets through (max_body_bytes).
	maxAvatar = 256 << 20
)

// upload is a picture that is coming in. It is not safe for concurrent use.
type upload struct {
	picture

	db       *sql.DB
	declared string // The media type, if the client knows it.
	hash     hash.Hash
	chunk    []byte // What is not stored yet.
	stored   int64
}

func newUpload(db *sql.DB, userID, contentType string) *upload {
	return &upload{
		picture:  picture{Avatar: &profilev1.Avatar{UserId: userID}, version: ident.Random()},
		db:       db,
		declared: contentType,
		hash:     sha256.New(),
		chunk:    make([]byte, 0, chunkSize),
	}
}

// write takes the next bytes of the picture.
func (u *upload) write(ctx context.Context, data []byte) error {
	u.SizeBytes += int64(len(data))
	if u.SizeBytes > maxAvatar {
		return wrongFile("must have at most %d bytes", maxAvatar)
	}

	_, _ = u.hash.Write(data) // Never fails: hash.Hash says so.

	for len(data) > 0 {
		n := min(len(data), chunkSize-len(u.chunk))
		u.chunk, data = append(u.chunk, data[:n]...), data[n:]

		if len(u.chunk) == chunkSize {
			if err := u.flush(ctx); err != nil {
				return err
			}
		}
	}

	return nil
}

// flush stores the chunk. Nothing is stored of what is no picture.
func (u *upload) flush(ctx context.Context) (err error) {
	if u.stored == 0 {
		if u.ContentType, err = pictureType(u.chunk, u.declared); err != nil {
			return err
		}

		if err := begin(ctx, u.db, u.version); err != nil {
			return err
		}
	}

	if err := extend(ctx, u.db, u.version, u.stored, u.chunk); err != nil {
		return err
	}

	u.stored += int64(len(u.chunk))
	u.chunk = u.chunk[:0]

	return nil
}

// publish shows the picture and gives the version that it replaces, if any.
func (u *upload) publish(ctx context.Context) (replaced string, err error) {
	if u.GetSizeBytes() == 0 {
		return "", wrongFile("must not be empty")
	}

	if len(u.chunk) > 0 {
		if err := u.flush(ctx); err != nil {
			return "", err
		}
	}

	u.Etag = entityTag(u.hash.Sum(nil))
	u.UpdateTime = sqlstore.Now()

	return publish(ctx, u.db, u.picture)
}

// entityTag is a strong one (RFC 9110, section 8.8.3).
func entityTag(sum []byte) string {
	return `"` + hex.EncodeToString(sum) + `"`
}

// pictureType tells from its first bytes what a picture is. The declared type must agree, if there is one.
func pictureType(head []byte, declared string) (string, error) {
	found := http.DetectContentType(head)
	if accepted := []string{"image/png", "image/jpeg", "image/gif", "image/webp"}; !slices.Contains(accepted, found) {
		return "", wrongFile("must be one of %s", strings.Join(accepted, ", "))
	}

	if declared == "" {
		return found, nil
	}

	if said, _, err := mime.ParseMediaType(declared); err != nil || said != found && said != "application/octet-stream" {
		return "", wrongFile("is %s and not of the media type that is declared", found)
	}

	return found, nil
}

func wrongFile(format string, args ...any) error {
	var v fault.Violations
	v.Addf("file", format, args...)

	return v.Err()
}
