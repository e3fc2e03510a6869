package backends_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"image/png"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

const (
	pngMagic = "\x89PNG\r\n\x1a\n"
	mebibyte = 1 << 20
)

// picture gives bytes that look like a PNG from afar.
func picture(size int, seed uint64) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(data)
	copy(data, pngMagic)

	return data
}

func entityTag(data []byte) string {
	sum := sha256.Sum256(data)

	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func piece(userID, contentType string, data []byte) *profilev1.UploadAvatarRequest {
	return &profilev1.UploadAvatarRequest{UserId: userID, File: &httpbody.HttpBody{ContentType: contentType, Data: data}}
}

// upload sends pieces to the end, or until nobody wants more.
func (w *world) upload(ctx context.Context, pieces ...*profilev1.UploadAvatarRequest) (*profilev1.Avatar, metadata.MD, error) {
	stream, err := w.profiles.UploadAvatar(ctx)
	if err != nil {
		return nil, nil, err
	}

	for _, p := range pieces {
		if err := stream.Send(p); err != nil {
			break // CloseAndRecv says why.
		}
	}

	avatar, err := stream.CloseAndRecv()
	header, _ := stream.Header()

	return avatar, header, err
}

// download gives what came before the error, if there is one.
func (w *world) download(ctx context.Context, req *profilev1.GetAvatarRequest) ([]byte, string, metadata.MD, error) {
	stream, err := w.profiles.GetAvatar(ctx, req)
	if err != nil {
		return nil, "", nil, err
	}

	data, contentType, err := receiveAvatar(stream)
	header, _ := stream.Header()

	return data, contentType, header, err
}

func receiveAvatar(stream profilev1.ProfileService_GetAvatarClient) (data []byte, contentType string, err error) {
	for {
		body, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return data, contentType, nil
		}

		if err != nil {
			return data, contentType, err
		}

		data = append(data, body.GetData()...)
		contentType += body.GetContentType() // Of the first alone.
	}
}

func openProfiles(t *testing.T, dir string) *sql.DB {
	t.Helper()

	db, err := sql.Open("sqlite", filepath.Join(dir, "profile.db"))
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	return db
}

func TestSeededAvatar(t *testing.T) {
	t.Parallel()

	w := newWorld(t)

	data, contentType, _, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil || contentType != "image/png" {
		t.Fatalf("%s, %v", contentType, err)
	}

	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		t.Errorf("it is no picture: %v", err)
	}
}

func TestAvatarRights(t *testing.T) {
	t.Parallel()

	w := newWorld(t)

	_, _, header, err := w.download(as(t, "bob"), &profilev1.GetAvatarRequest{UserId: "bob"})
	wantCode(t, err, codes.NotFound)

	if got := header.Get("x-content-length"); len(got) != 0 {
		t.Errorf("nothing has the content-length %q", got)
	}

	tests := map[string]struct {
		subject, scope, userID string
		want                   codes.Code
	}{
		"owner":                {"alice", "", "alice", codes.OK},
		"admin":                {"staff", "users:admin", "bob", codes.OK},
		"user_without_profile": {"ghost", "", "ghost", codes.OK},
		"other":                {"bob", "", "alice", codes.PermissionDenied},
		"nobody":               {"", "", "alice", codes.Unauthenticated},
		"malformed_user":       {"staff", "users:admin", strings.Repeat("x", 64), codes.InvalidArgument},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, _, err := w.upload(as(t, test.subject, test.scope), piece(test.userID, "", picture(100, 1)))
			wantCode(t, err, test.want)

			_, _, _, err = w.download(as(t, test.subject, test.scope), &profilev1.GetAvatarRequest{UserId: test.userID})
			wantCode(t, err, test.want)
		})
	}

	// Also if the upload does not say whose picture it would be.
	_, _, err = w.upload(nobody(t))
	wantCode(t, err, codes.Unauthenticated)
}

func TestUploadAndDownloadAvatar(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	data := picture(4*mebibyte, 1)
	pieces := []*profilev1.UploadAvatarRequest{piece("bob", "Image/PNG; x=y", nil)}

	for rest, n := data, 1; len(rest) > 0; n = n*3 + 1 { // Of 1 byte to half a mebibyte.
		n = min(n%(mebibyte/2), len(rest))
		pieces = append(pieces, piece("bob", "text/counts-only-in-the-first", rest[:n]))
		rest = rest[n:]
	}

	avatar, header, err := w.upload(as(t, "bob"), pieces...)
	if err != nil {
		t.Fatal(err)
	}

	want := &profilev1.Avatar{UserId: "bob", ContentType: "image/png", SizeBytes: 4 * mebibyte, Etag: entityTag(data)}
	if diff := cmp.Diff(want.String(), withoutTime(avatar).String()); diff != "" {
		t.Errorf("avatar (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff([]string{avatar.GetEtag()}, header.Get("etag")); diff != "" {
		t.Errorf("header etag (-want +got):\n%s", diff)
	}

	got, contentType, header, err := w.download(as(t, "bob"), &profilev1.GetAvatarRequest{UserId: "bob"})
	if err != nil || contentType != "image/png" || !bytes.Equal(got, data) {
		t.Errorf("came back as %d bytes of %s, %v", len(got), contentType, err)
	}

	if diff := cmp.Diff(map[string]string{
		"accept-ranges": "bytes", "x-content-length": "4194304", "etag": entityTag(data), "content-range": "",
		"last-modified": avatar.GetUpdateTime().AsTime().Format("Mon, 02 Jan 2006 15:04:05 GMT"),
	}, headers(header)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func withoutTime(a *profilev1.Avatar) *profilev1.Avatar {
	a = proto.CloneOf(a)
	a.UpdateTime = nil

	return a
}

// headers gives the single values of what HTTP will see.
func headers(md metadata.MD) map[string]string {
	got := make(map[string]string)
	for _, key := range []string{"accept-ranges", "x-content-length", "content-range", "etag", "last-modified"} {
		got[key] = strings.Join(md.Get(key), " and ")
	}

	return got
}

func TestAvatarRanges(t *testing.T) {
	t.Parallel()

	const size = 200_000 // Seven chunks.

	w := newWorld(t)
	data := picture(size, 2)
	avatar, _, err := w.upload(as(t, "alice"), piece("alice", "", data))
	if err != nil {
		t.Fatal(err)
	}

	modified := avatar.GetUpdateTime().AsTime()
	date := modified.Format("Mon, 02 Jan 2006 15:04:05 GMT")

	tests := map[string]struct {
		header, ifRange string
		first, last     int // Both 0: the whole, without content-range.
	}{
		"none":                 {"", "", 0, 0},
		"head":                 {"bytes=0-99", "", 0, 99},
		"one_byte":             {"bytes=5-5", "", 5, 5},
		"across_chunks":        {"bytes=65535-131072", "", 65535, 131072},
		"from_a_boundary":      {"bytes=65536-65599", "", 65536, 65599},
		"to_the_end":           {"bytes=199990-", "", 199990, size - 1},
		"all_as_a_range":       {"bytes=0-", "", 0, size - 1},
		"beyond_the_end":       {"bytes=100-999999999999999999999", "", 100, size - 1},
		"suffix":               {"bytes=-10", "", size - 10, size - 1},
		"suffix_above_size":    {"Bytes=-999999", "", 0, size - 1},
		"several":              {"bytes=0-1,4-5", "", 0, 0},
		"backwards":            {"bytes=9-5", "", 0, 0},
		"other_unit":           {"pages=1-2", "", 0, 0},
		"no_numbers":           {"bytes=-", "", 0, 0},
		"signed":               {"bytes=+1-2", "", 0, 0},
		"nonsense":             {"x", "", 0, 0},
		"if_same_tag":          {"bytes=1-2", avatar.GetEtag(), 1, 2},
		"if_other_tag":         {"bytes=1-2", `"x"`, 0, 0},
		"if_weak_tag":          {"bytes=1-2", "W/" + avatar.GetEtag(), 0, 0},
		"if_same_date":         {"bytes=1-2", date, 1, 2},
		"if_other_date":        {"bytes=1-2", modified.Add(time.Second).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 0, 0},
		"if_other_tag_too_far": {"bytes=200000-", `"x"`, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			want, contentRange := data, ""
			if test.last > 0 {
				want = data[test.first : test.last+1]
				contentRange = "bytes " + strconv.Itoa(test.first) + "-" + strconv.Itoa(test.last) + "/200000"
			}

			got, contentType, header, err := w.download(as(t, "alice"),
				&profilev1.GetAvatarRequest{UserId: "alice", Range: test.header, IfRange: test.ifRange})
			if err != nil || contentType != "image/png" || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of %s, %v; want %d", len(got), contentType, err, len(want))
			}

			if diff := cmp.Diff(map[string]string{
				"accept-ranges": "bytes", "x-content-length": strconv.Itoa(len(want)), "content-range": contentRange,
				"etag": avatar.GetEtag(), "last-modified": date,
			}, headers(header)); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}

	for _, header := range []string{"bytes=200000-", "bytes=200000-200001", "bytes=-0", "bytes=99999999999999999999-"} {
		_, _, md, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice", Range: header})
		wantCode(t, err, codes.OutOfRange)

		if got := md.Get("content-range"); len(got) != 1 || got[0] != "bytes */200000" || len(md.Get("x-content-length")) != 0 {
			t.Errorf("%s: headers are %v", header, md)
		}
	}
}

func TestUploadAvatarViolations(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	data := picture(100_000, 3)
	before, _, _, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil {
		t.Fatal(err)
	}

	tests := map[string]struct {
		pieces []*profilev1.UploadAvatarRequest
		field  string
	}{
		"nothing":        {nil, "file"},
		"no_bytes":       {[]*profilev1.UploadAvatarRequest{piece("alice", "image/png", nil), {UserId: "alice"}}, "file"},
		"text":           {[]*profilev1.UploadAvatarRequest{piece("alice", "", []byte("hello"))}, "file"},
		"svg":            {[]*profilev1.UploadAvatarRequest{piece("alice", "image/svg+xml", []byte("<svg/>"))}, "file"},
		"disguised":      {[]*profilev1.UploadAvatarRequest{piece("alice", "image/png", bytes.Repeat([]byte("x"), 100_000))}, "file"},
		"other_picture":  {[]*profilev1.UploadAvatarRequest{piece("alice", "image/gif", data)}, "file"},
		"malformed_type": {[]*profilev1.UploadAvatarRequest{piece("alice", "image/", data)}, "file"},
		"two_users":      {[]*profilev1.UploadAvatarRequest{piece("alice", "", data), piece("bob", "", data)}, "user_id"},
		"user_only_once": {[]*profilev1.UploadAvatarRequest{piece("alice", "", data), piece("", "", data)}, "user_id"},
		"a_byte_more": {
			[]*profilev1.UploadAvatarRequest{piece("alice", "", picture(4*mebibyte, 4)), piece("alice", "", []byte{1})}, "file",
		},
	}
	for name, test := range tests {
		t.Log(name)

		_, _, err := w.upload(as(t, "alice"), test.pieces...)
		wantFields(t, err, test.field)
	}

	if after, _, _, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"}); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the avatar became %d bytes, %v", len(after), err)
	}

	for name, data := range map[string]string{
		"image/png": pngMagic, "image/jpeg": "\xff\xd8\xff\xe0", "image/gif": "GIF89a", "image/webp": "RIFF\x00\x00\x00\x00WEBPVP8 ",
	} {
		for _, declared := range []string{"", "application/octet-stream", name} {
			avatar, _, err := w.upload(as(t, "alice"), piece("alice", declared, []byte(data)))
			if err != nil || avatar.GetContentType() != name {
				t.Errorf("%s declared as %q became %s, %v", name, declared, avatar.GetContentType(), err)
			}
		}
	}
}

func TestCancelledUploadChangesNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	before, _, _, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(as(t, "alice"))
	defer cancel()

	stream, err := w.profiles.UploadAvatar(ctx)
	if err != nil {
		t.Fatal(err)
	}

	if err := stream.Send(piece("alice", "", picture(mebibyte, 4))); err != nil {
		t.Fatal(err)
	}

	// It does not keep others from writing.
	if _, _, err := w.upload(as(t, "bob"), piece("bob", "", picture(100, 5))); err != nil {
		t.Error(err)
	}

	cancel()

	if _, err := stream.CloseAndRecv(); err == nil {
		t.Error("a cancelled upload was accepted")
	}

	after, _, _, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil || !bytes.Equal(after, before) {
		t.Errorf("half an upload changed the avatar to %d bytes, %v", len(after), err)
	}
}

// Once, users could fill the disk with pictures.
func TestAvatarsAreLimitedInNumber(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	w := startWorld(t, dir)

	_, err := openProfiles(t, dir).ExecContext(t.Context(),
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
		 INSERT INTO avatars SELECT 'user' || i, 'image/png', x'00', '', 0 FROM n`)
	if err != nil {
		t.Fatal(err)
	}

	_, _, err = w.upload(as(t, "bob"), piece("bob", "", picture(100, 1)))
	wantCode(t, err, codes.ResourceExhausted)

	_, _, err = w.upload(as(t, "alice"), piece("alice", "", picture(100, 2)))
	wantCode(t, err, codes.OK)
}

func TestAvatarIsReplacedDuringDownload(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	first, second := picture(3*mebibyte, 6), picture(100, 7)
	put := func(data []byte) {
		if _, _, err := w.upload(as(t, "alice"), piece("alice", "", data)); err != nil {
			t.Fatal(err)
		}
	}

	put(first)

	stream, err := w.profiles.GetAvatar(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil {
		t.Fatal(err)
	}

	head, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}

	put(second)

	rest, _, err := receiveAvatar(stream)
	if err != nil || !bytes.Equal(append(head.GetData(), rest...), first) {
		t.Errorf("the first picture came as %d bytes, %v", len(head.GetData())+len(rest), err)
	}

	got, _, _, err := w.download(as(t, "alice"), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil || !bytes.Equal(got, second) {
		t.Errorf("the picture is %d bytes, %v", len(got), err)
	}
}

// Whatever happens at the same time, what arrives whole is what its entity tag says.
func TestAvatarUnderConcurrency(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	ctx := as(t, "alice")

	var both sync.WaitGroup
	for n := range uint64(3) {
		both.Go(func() {
			for i := range uint64(5) {
				if _, _, err := w.upload(ctx, piece("alice", "", picture(150_000, n<<4|i))); err != nil {
					t.Errorf("upload: %v", err)
				}
			}
		})
		both.Go(func() {
			for range 10 {
				data, _, header, err := w.download(ctx, &profilev1.GetAvatarRequest{UserId: "alice"})
				if got := header.Get("etag"); err != nil || len(got) != 1 || got[0] != entityTag(data) {
					t.Errorf("%d bytes are not those of %v: %v", len(data), got, err)
				}
			}
		})
	}

	both.Wait()
}
