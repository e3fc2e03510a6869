package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	"github.com/golang-jwt/jwt/v5"
	"github.com/golang-jwt/jwt/v5/request"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

const (
	// clientLimit is the limit of a client address, in requests a second. The load does not reach it.
	clientLimit = 1_000_000
	// requestTimeout is that of every route.
	requestTimeout = 15 * time.Second
)

// usual is vanilla with the middleware that teams put around it: request ids, an access log, metrics, recovery from panics, a limit
// per client address, verification of tokens, and a timeout. As in the configuration of Portico, only GetOrder has a limit that is
// reached.
func usual(backend, jwksFile string) (peer, error) {
	gateway, err := vanillaMux(backend, "usual", runtime.WithMetadata(callerMetadata))
	if err != nil {
		return peer{}, err
	}

	verify, err := newVerifier(jwksFile)
	if err != nil {
		return peer{}, err
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	router := chi.NewRouter()
	router.Use(
		middleware.RequestID,
		middleware.ClientIPFromRemoteAddr,
		accessLog(slog.New(slog.NewJSONHandler(os.Stdout, nil))),
		instrument(registry),
		middleware.Recoverer,
		httprate.LimitBy(clientLimit, time.Second, byClient),
		verify.authenticate,
		middleware.Timeout(requestTimeout),
	)
	router.Handle("/*", gateway)
	router.With(httprate.LimitBy(1, 24*time.Hour, bySubject)).Method(http.MethodGet, "/v1/orders/{order_id:[a-z0-9_]+}", gateway)

	return peer{
		server:  &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second},
		metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}, nil
}

// accessLog writes a line for each request.
func accessLog(logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			tracked := middleware.NewWrapResponseWriter(w, r.ProtoMajor)

			defer func() {
				logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
					slog.String("request_id", middleware.GetReqID(r.Context())),
					slog.String("method", r.Method),
					slog.String("path", r.URL.Path),
					slog.String("client", middleware.GetClientIP(r.Context())),
					slog.Int("status", tracked.Status()),
					slog.Duration("duration", time.Since(start)),
					slog.Int("bytes", tracked.BytesWritten()),
				)
			}()

			next.ServeHTTP(tracked, r)
		})
	}
}

// instrument counts requests by method and status, with how long they take, and those that are in flight.
func instrument(registry prometheus.Registerer) func(http.Handler) http.Handler {
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_requests_in_flight", Help: "Requests in flight."})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "How long requests take.", Buckets: prometheus.DefBuckets,
	}, []string{"method", "code"})
	registry.MustRegister(inFlight, duration)

	return func(next http.Handler) http.Handler {
		return promhttp.InstrumentHandlerInFlight(inFlight, promhttp.InstrumentHandlerDuration(duration, next))
	}
}

// claims are those of a token that are looked at.
type claims struct {
	jwt.RegisteredClaims

	Scope string `json:"scope"`
}

// verifier verifies the tokens of one issuer.
type verifier struct {
	parser *jwt.Parser
	keys   keyfunc.Keyfunc
}

func newVerifier(jwksFile string) (verifier, error) {
	set, err := os.ReadFile(jwksFile)
	if err != nil {
		return verifier{}, fmt.Errorf("read key set: %w", err)
	}

	keys, err := keyfunc.NewJWKSetJSON(set)
	if err != nil {
		return verifier{}, fmt.Errorf("read key set: %w", err)
	}

	return verifier{keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{sample.Algorithm}),
		jwt.WithIssuer(sample.Issuer),
		jwt.WithAudience(sample.Audience),
		jwt.WithExpirationRequired(),
	)}, nil
}

// authenticate refuses requests without a valid token, and puts the claims of others into their context.
func (v verifier) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := request.BearerExtractor{}.ExtractToken(r)
		if err != nil {
			unauthorized(w)

			return
		}

		caller := &claims{}
		if _, err := v.parser.ParseWithClaims(token, caller, v.keys.Keyfunc); err != nil {
			unauthorized(w)

			return
		}

		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, caller)))
	})
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
}

type claimsKey struct{}

// subject is who makes a request. Without authenticate it is empty.
func subject(ctx context.Context) string {
	if caller, ok := ctx.Value(claimsKey{}).(*claims); ok {
		return caller.Subject
	}

	return ""
}

func byClient(r *http.Request) (string, error) {
	return httprate.CanonicalizeIP(middleware.GetClientIP(r.Context())), nil
}

func bySubject(r *http.Request) (string, error) { return subject(r.Context()), nil }

// callerMetadata tells backends who makes a request.
func callerMetadata(ctx context.Context, _ *http.Request) metadata.MD {
	return metadata.Pairs("x-user-id", subject(ctx))
}
