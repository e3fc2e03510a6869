package cache

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// legGrace is how long after its deadline a leg still waits for the result of the call, whose deadline may be the same. A composite
// has little time left for its response.
const legGrace = 5 * time.Millisecond

// LegRule is how replies of a unary method without side effects are shared among the legs of composites.
type LegRule struct {
	// Upstream is the name of the backend.
	Upstream string
	// RPC is the full method, and Reply what it returns.
	RPC   string
	Reply protoreflect.MessageDescriptor
	// Cache is what the schema says. The zero value: only calls of the same caller at the same time share a reply.
	Cache policy.Cache
	// Authorization reports that the backend gets the Authorization header of the caller.
	Authorization bool
	// Timeout is how long a call may take that is not bound to the time of one leg: a refresh, or one in place of a call that ran
	// out of time before others did.
	Timeout time.Duration
}

// Method shares the replies of a method. It is safe for concurrent use.
type Method struct {
	sharing

	upstream string
	// reply is what tags look into. Nil: they do not.
	reply protoreflect.MessageDescriptor
}

// Method shares the replies of a method with the rules that routes have. Replies are shared by legs, not with requests to a route.
// Its refusals belong outside of it, as for routes.
func (c *Cache) Method(rule LegRule) *Method {
	m := &Method{sharing: newSharing(c, rule.RPC, rule.Cache, rule.Authorization, rule.Timeout), upstream: rule.Upstream}
	if slices.ContainsFunc(rule.Cache.Tags, func(tag policy.Tag) bool { return len(tag.ResponseFields()) > 0 }) {
		m.reply = rule.Reply
	}

	return m
}

// Do returns the encoded reply to a leg, which must not be changed. It ends with the context, even if the call goes on for others.
// The call returns the encoded reply to a request. It may get a copy of this one, on another goroutine, and must be safe for
// concurrent use. An error is a status, which others may get as well.
func (m *Method) Do(
	ctx context.Context, request proto.Message, call func(ctx context.Context, request proto.Message) ([]byte, error),
) ([]byte, error) {
	l := &legLookup{method: m, request: request, call: call}
	rec := reqinfo.From(ctx)

	l.forward = rec.Forward
	if m.usesStore() {
		l.forward = withoutConditions(rec.Forward)
	}

	l.lookup = lookup{
		sharing: &m.sharing, fetcher: l, ctx: ctx, rec: rec, arrived: m.cache.calls.now(), grace: legGrace,
		control: m.controlOf(rec, rec.CacheControl),
	}
	// That is about the response of the composite.
	l.control.onlyIfCached = false

	var err error
	if l.key, err = l.newKey(); err != nil {
		// The call says what is wrong with the request.
		m.observe(Bypass)
		return call(ctx, request)
	}

	began := time.Now()
	out := l.serve()

	if out.event == Stale {
		rec.MarkStale()
	}

	switch {
	case out.event == Bypass:
		return call(ctx, request)
	case out.err == nil:
		return out.response.body, out.response.err
	case out.result == nil:
		rec.AddUpstream(m.upstream)
		rec.AddCall(reqinfo.Call{Upstream: m.upstream, RPC: m.rpc, Took: time.Since(began)})

		return nil, problem.WithCause(status.FromContextError(out.err), out.err)
	default:
		return nil, problem.WithCause(status.New(codes.Internal, "panic"), out.err)
	}
}

// legLookup is a leg on its way through the cache.
type legLookup struct {
	lookup

	method  *Method
	request proto.Message
	call    func(ctx context.Context, request proto.Message) ([]byte, error)
	// sent is a copy of the request for the fetch: composites may change theirs once they have the reply.
	sent proto.Message
	// forward is what backends get of the client's header.
	forward map[string][]string
}

// digests are buffers for keys.
//
//nolint:gochecknoglobals // A pool is shared.
var digests = sync.Pool{New: func() any { return new(digest.Buffer) }}

// maxPooled is how large a buffer in the pool may be, in bytes.
const maxPooled = 64 << 10

// newKey names the call. What the backend gets is in it, but for the id of the request, the trace context and, in public scope, the
// caller: of that only the tenant. The priority is in it, because an overloaded backend may be spared calls of a lower one.
func (l *legLookup) newKey() (Key, error) {
	buffer, _ := digests.Get().(*digest.Buffer)
	d := (*buffer)[:0].
		Texts("leg", l.method.upstream, l.rpc, l.rec.Principal.Tenant, strconv.Itoa(l.rec.Priority))

	d = appendFields(d, l.forward)

	if !l.policy.Public {
		d = l.appendCaller(d, l.rec)
	}

	// It is the last, and does not need its length.
	all, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(d, l.request)
	if err != nil {
		return Key{}, err
	}

	key := Key(sha256.Sum256(all))

	if cap(all) <= maxPooled {
		*buffer = all
		digests.Put(buffer)
	}

	return key, nil
}

// prepare implements fetcher.
func (l *legLookup) prepare() *reqinfo.Record {
	l.sent = proto.Clone(l.request)
	work := l.forkRecord(l.rec, l.forward)

	if l.endsWithLeg() {
		work.Reserved = l.rec.Reserved
	} else {
		work.Start = time.Now()
	}

	return work
}

// endsWithLeg reports whether a fetch for the leg ends at the deadline of the leg, so that it counts as a timeout of the backend.
// That of a client is not for others. A leg that is tried again shows that there are legs with different deadlines.
func (l *legLookup) endsWithLeg() bool { return !l.retried && !l.rec.ClientDeadline }

// deadlines implements fetcher. A leg may share the call of another one with less time, and be tried again; but then no more.
func (l *legLookup) deadlines() (own, others time.Time) {
	long := time.Now().Add(l.timeout)

	end, limited := l.ctx.Deadline()

	switch {
	case !limited:
		return long, others
	case l.endsWithLeg():
		return end, others
	}

	if l.retried {
		others = end
	}

	if end.After(long) {
		long = end
	}

	return long, others
}

// fetch implements fetcher.
func (l *legLookup) fetch(ctx context.Context) recorded {
	body, err := l.call(ctx, l.sent)
	if err != nil {
		return recorded{status: problem.From(err).Status, err: err}
	}

	out := recorded{status: http.StatusOK, body: body}
	if l.tagged {
		out.tags, out.tagsComplete = l.method.tagsOf(l.sent, body)
	}

	return out
}

// tagsOf returns the tags of a reply. They are not complete if one has no value.
func (m *Method) tagsOf(request proto.Message, body []byte) (names []string, complete bool) {
	var reply protoreflect.Message

	if m.reply != nil {
		message := dynamicpb.NewMessage(m.reply)
		if err := proto.Unmarshal(body, message); err != nil {
			return nil, false
		}

		reply = message
	}

	return policy.TagTexts(m.policy.Tags, request.ProtoReflect(), reply)
}
