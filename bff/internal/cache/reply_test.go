package cache_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// fixed is the entity tag of the body "answer": the first 16 bytes of its SHA-256.
const fixed = `"DbUvQHbAglGEEq_T3TV24g"`

func fixedAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Connection", "close")
	w.Header().Set("X-Request-Id", "inner")
	w.Header().Set("Vary", "accept-encoding, X-Inner")
	_, _ = w.Write([]byte("answer"))
}

func TestAnswersSayHowTheyMayBeKept(t *testing.T) {
	t.Parallel()

	const vary = "accept-encoding, X-Inner, Accept, Accept-Language, Authorization, X-Bound"

	stale := policy.Cache{TTL: 90 * time.Second, StaleWhileRevalidate: 30 * time.Second, StaleIfError: time.Hour, Public: true}
	closed, staleRule := public(), public()
	closed.Public, staleRule.Cache = false, stale
	session := as(func(rec *reqinfo.Record) { rec.Session = true })

	tests := []struct {
		name string
		rule cache.Rule
		rec  *reqinfo.Record
		want string
	}{
		{"private", private(), ada(), "private, max-age=60"},
		{"private_of_nobody", private(), anonymous(), "private, max-age=60"},
		{"public", public(), ada(), "public, max-age=60"},
		{"public_of_nobody", public(), anonymous(), "public, max-age=60"},
		{"public_for_some", closed, ada(), "private, max-age=60"},
		{"public_for_a_tenant", public(), as(func(rec *reqinfo.Record) { rec.Principal.Tenant = "acme" }), "private, max-age=60"},
		{"tagged", tagged(), ada(), "private, no-cache"},
		{"private_of_a_session", private(), session, "private, no-cache"},
		{"public_of_a_session", public(), session, "public, max-age=60"},
		{"public_for_some_of_a_session", closed, session, "private, no-cache"},
		{"stale", staleRule, ada(), "public, max-age=90, stale-while-revalidate=30, stale-if-error=3600"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := serve(t, tt.rule, func(w http.ResponseWriter, r *http.Request) {
					cache.Tag(r.Context(), []string{"t"}, true)
					fixedAnswer(w, r)
				})
				first := call{rec: tt.rec}.to(t, rt)
				wants(t, first, http.StatusOK, "answer", miss)
				time.Sleep(2500 * time.Millisecond)

				second := call{rec: tt.rec}.to(t, rt)
				left := tt.rule.Cache.TTL/time.Second - 3
				wants(t, second, http.StatusOK, "answer", fmt.Sprintf("portico; hit; ttl=%d", left))
				wantsHeader(t, second, map[string]string{"Age": "2"})

				for _, w := range []*httptest.ResponseRecorder{first, second} {
					wantsHeader(t, w, map[string]string{
						"Cache-Control": tt.want, "Etag": fixed, "Vary": vary, "Content-Type": "text/plain", "Content-Length": "",
						"X-Request-Id": "outer", "Connection": "",
					})
				}

				if age := first.Header().Get("Age"); age != "" {
					t.Errorf("age %s of what is new", age)
				}
			})
		})
	}
}

func TestConditionsAndHead(t *testing.T) {
	t.Parallel()

	none := func(tags string) call { return with("If-None-Match", tags) }
	head := call{rec: as(func(rec *reqinfo.Record) { rec.Head = true })}

	tests := []struct {
		name   string
		call   call
		status int
		body   string
		length string
	}{
		{"no_condition", call{}, http.StatusOK, "answer", ""},
		{"same", none(fixed), http.StatusNotModified, "", ""},
		{"weak", none("W/" + fixed), http.StatusNotModified, "", ""},
		{"in_a_list", none(`"a,b", W/"c" ,` + fixed + `,"d"`), http.StatusNotModified, "", ""},
		{"anything", none(" * "), http.StatusNotModified, "", ""},
		{"other", none(`"other"`), http.StatusOK, "answer", ""},
		{"without_quotes", none(strings.Trim(fixed, `"`)), http.StatusOK, "answer", ""},
		{"cut_off", none(fixed[:len(fixed)-1]), http.StatusOK, "answer", ""},
		{"nothing", none(""), http.StatusOK, "answer", ""},
		{"asterisk_in_a_tag", none(`"*"`), http.StatusOK, "answer", ""},
		{"head", head, http.StatusOK, "", "6"},
		{"head_as_the_client_sent_it", call{method: http.MethodHead}, http.StatusOK, "", "6"},
		{"head_and_same", call{rec: head.rec, header: map[string]string{"If-None-Match": fixed}}, http.StatusNotModified, "", ""},
		{"time_alone", with("If-Modified-Since", "Tue, 24 Nov 2026 10:00:00 GMT"), http.StatusOK, "answer", ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := serve(t, private(), fixedAnswer)

				for _, how := range []string{miss, hit} {
					w := tt.call.to(t, rt)
					wants(t, w, tt.status, tt.body, how)
					wantsHeader(t, w, map[string]string{"Etag": fixed, "Cache-Control": "private, max-age=60", "Content-Length": tt.length})

					if w.Header().Get("Vary") == "" || (w.Header().Get("Content-Type") == "") != (tt.status == http.StatusNotModified) {
						t.Errorf("header %v", w.Header())
					}
				}

				wants(t, call{}.to(t, rt), http.StatusOK, "answer", hit)
				rt.wants(t, 1)
			})
		})
	}
}

func TestWhatIsNotStored(t *testing.T) {
	t.Parallel()

	header := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			fixedAnswer(w, r)
		}
	}
	fail := func(code codes.Code) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.From(status.Error(code, "")), nil)
		}
	}
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}

	tests := []struct {
		name    string
		handler http.HandlerFunc
		control string
	}{
		{"created", status(http.StatusCreated), "no-store"},
		{"no_content", status(http.StatusNoContent), "no-store"},
		{"not_found", fail(codes.NotFound), "no-store"},
		{"unavailable", fail(codes.Unavailable), "no-store"},
		{"unauthenticated", fail(codes.Unauthenticated), "no-store"},
		{"error_behind_200", func(w http.ResponseWriter, r *http.Request) {
			reqinfo.From(r.Context()).Fail(codes.Internal, nil)
			fixedAnswer(w, r)
		}, "no-store"},
		{"partial", func(w http.ResponseWriter, r *http.Request) {
			reqinfo.From(r.Context()).Miss("items", http.ErrBodyNotAllowed)
			fixedAnswer(w, r)
		}, "no-store"},
		{"cookie", header("Set-Cookie", "a=b"), "no-store"},
		{"no_store", header("Cache-Control", "no-store"), "no-store"},
		{"no_cache", header("Cache-Control", "x, No-Cache=\"a\""), "x, No-Cache=\"a\""},
		{"private", header("Cache-Control", "private"), "private"},
		{"max_age_0", header("Cache-Control", "max-age=0"), "max-age=0"},
		{"varies_by_anything", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", "Accept, *") }, "no-store"},
		{"too_large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, "private, max-age=60"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rt := serve(t, private(), tt.handler)
			for range 2 {
				wantsHeader(t, call{}.to(t, rt), map[string]string{"Cache-Status": "portico; fwd=uri-miss", "Cache-Control": tt.control})
			}

			rt.wants(t, 2)
		})
	}
}

func TestWhatTheHandlerSaysStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := serve(t, private(), func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("Etag", `W/"inner"`)
			header.Set("Cache-Control", "max-age=5")
			header.Set("Cache-Status", "backend; hit")
			header.Set("Age", "7")
			header.Set("Link", "</1>")
			w.WriteHeader(http.StatusEarlyHints)
			fixedAnswer(w, r)
			w.WriteHeader(http.StatusTeapot)
			header.Set("Link", "too late")
		})

		for _, how := range []string{miss, hit} {
			w := call{}.to(t, rt)
			wants(t, w, http.StatusOK, "answer", "backend; hit, "+how)
			wantsHeader(t, w, map[string]string{"Etag": `W/"inner"`, "Cache-Control": "max-age=5", "Link": "</1>"})
		}

		w := with("If-None-Match", `"inner"`).to(t, rt)
		wants(t, w, http.StatusNotModified, "", "backend; hit, "+hit)
		wantsHeader(t, w, map[string]string{"Age": "0"})
	})
}

// An outer layer that changes a header changes that of its own answer alone.
func TestAnswersDoNotShareHeaders(t *testing.T) {
	t.Parallel()

	rt := serve(t, private(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Link", "</1>")
		fixedAnswer(w, r)
	})

	for range 3 {
		w := call{}.to(t, rt)
		wantsHeader(t, w, map[string]string{"Link": "</1>", "Etag": fixed})
		w.Header().Add("Link", "</2>")
		w.Header().Set("Etag", "other")
		w.Header().Add("Content-Type", "other")
	}
}
