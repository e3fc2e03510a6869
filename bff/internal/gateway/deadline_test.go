package gateway

import (
	"net/http"
	"testing"
	"time"
)

func TestRequestedTimeouts(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, grpc, seconds string
		want                time.Duration
		wrong               bool
	}{
		{name: "none", want: longest},
		{name: "grpc", grpc: "250m", want: 250 * time.Millisecond},
		{name: "seconds", seconds: "2", want: 2 * time.Second},
		{name: "fraction", seconds: "0.25", want: 250 * time.Millisecond},
		{name: "shorter_of_two", grpc: "1S", seconds: "0.5", want: 500 * time.Millisecond},
		{name: "longer_than_a_day", seconds: "999999999999", want: longest},
		{name: "nothing", seconds: "0", wrong: true},
		{name: "next_to_nothing", seconds: "0.0000000001", wrong: true},
		{name: "negative", seconds: "-1", wrong: true},
		{name: "exponent", seconds: "1e3", wrong: true},
		{name: "infinite", seconds: "Inf", wrong: true},
		{name: "unit", seconds: "1s", wrong: true},
		{name: "too_long", seconds: "0.12345678901234", wrong: true},
		{name: "grpc_zero", grpc: "0n", wrong: true},
		{name: "one_of_two", grpc: "1S", seconds: "x", wrong: true},
	} {
		header := http.Header{}
		if tt.grpc != "" {
			header.Set(headerGRPCTimeout, tt.grpc)
		}

		if tt.seconds != "" {
			header.Set(headerRequestTimeout, tt.seconds)
		}

		got, err := requestedTimeout(header)
		if (err != nil) != tt.wrong || err == nil && got != tt.want {
			t.Errorf("%s: got %s, %v", tt.name, got, err)
		}
	}
}
