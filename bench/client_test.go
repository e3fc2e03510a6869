package main

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// The deadline of a connection was once renewed after so many requests, and long streams ran into it.
func TestDeadlineIsThatOfEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()

		c := newClient(near)
		defer c.close()

		go func() {
			request := make([]byte, 1)

			for {
				if _, err := far.Read(request); err != nil {
					return
				}

				time.Sleep(answerTimeout / 2)
				fmt.Fprint(far, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		}()

		for range 10 {
			if status, err := c.do([]byte("?")); status != 204 || err != nil {
				t.Fatalf("do = %d, %v, want 204", status, err)
			}
		}
	})
}
