package replicas_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// transfers are uploads and downloads that are half done, on any of the gateways.
type transfers struct {
	bodies []*io.PipeWriter
	begun  sync.WaitGroup
	ended  sync.WaitGroup
}

// startTransfers returns when each of them has sent or received its first half.
func (f *fleet) startTransfers(t *testing.T) *transfers {
	t.Helper()

	const each = 6

	s, header := &transfers{}, f.as(t, "alice")

	for range each {
		body, sent := io.Pipe()
		s.bodies = append(s.bodies, sent)
		s.ended.Go(func() {
			want := fmt.Sprintf(`"sizeBytes":"%d"`, len(halfFile+halfFile))
			if got := f.transfer(t, http.MethodPut, header, body, func() {}); !strings.Contains(got, want) {
				t.Errorf("an upload: %s", got)
			}
		})

		if _, err := io.WriteString(sent, halfFile); err != nil {
			t.Fatal(err)
		}

		s.begun.Add(1)
		s.ended.Go(func() {
			if got := f.transfer(t, http.MethodGet, header, http.NoBody, s.begun.Done); got != halfFile+halfFile {
				t.Errorf("a download: %s", got)
			}
		})
	}

	s.begun.Wait()

	return s
}

// transfer returns the body of the response, or what is wrong with it. It calls begun when it has the first half, or never will.
func (f *fleet) transfer(t *testing.T, method string, header http.Header, body io.Reader, begun func()) string {
	t.Helper()

	begun = sync.OnceFunc(begun)
	defer begun()

	req, err := http.NewRequestWithContext(t.Context(), method, f.balanced.site.URL+"/v1/users/alice/avatar", body)
	if err != nil {
		return err.Error()
	}

	req.Header = with(header, "Content-Type", "image/png")

	res, err := f.balanced.client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()

	first := make([]byte, len(halfFile))
	if _, err := io.ReadFull(res.Body, first); err != nil {
		return fmt.Sprint(res.Status, " ", string(first), err)
	}

	begun()

	rest, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Sprint(res.Status, " ", string(first), string(rest), err)
	}

	return string(first) + string(rest)
}

// finish sends the second half of everything, and waits for the end.
func (s *transfers) finish(t *testing.T, f *fleet) {
	t.Helper()

	f.backend.finishDownloads()

	for _, body := range s.bodies {
		if _, err := io.WriteString(body, halfFile); err != nil {
			t.Error(err)
		}

		_ = body.Close()
	}

	s.ended.Wait()
}
