package gatewaytest

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// CountUpload reads an avatar to its end and returns how many bytes it has.
func CountUpload(stream grpc.ClientStreamingServer[profilev1.UploadAvatarRequest, profilev1.Avatar]) error {
	size := 0

	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&profilev1.Avatar{UserId: "alice", SizeBytes: int64(size)})
		}

		if err != nil {
			return err
		}

		size += len(part.GetFile().GetData())
	}
}
