package observe

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/portico-gateway/portico/bff/config"
)

// overflowLog is how often is logged at most that spans are dropped because too many wait.
const overflowLog = time.Minute

// spanQueue bounds what waits to be exported, and counts. The SDK's batch processor does the rest; it drops what is too much
// without a word, so it is never given too much. It is safe for concurrent use.
type spanQueue struct {
	sdktrace.SpanProcessor

	exporter sdktrace.SpanExporter
	logger   *slog.Logger
	max      int64

	// waiting are the spans that have ended and are not exported yet.
	waiting                       atomic.Int64
	exported, overflowed, refused atomic.Int64
	// failing reports that the last export failed, and overflowedAt is when an overflow was logged last, in nanoseconds.
	failing      atomic.Bool
	overflowedAt atomic.Int64
}

func newSpanQueue(exporter sdktrace.SpanExporter, cfg config.Tracing, logger *slog.Logger) *spanQueue {
	q := &spanQueue{exporter: exporter, logger: logger, max: int64(cfg.QueueSize)}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(queueExporter{q},
		sdktrace.WithMaxQueueSize(cfg.QueueSize), sdktrace.WithMaxExportBatchSize(cfg.BatchSize),
		sdktrace.WithBatchTimeout(cfg.BatchInterval), sdktrace.WithExportTimeout(cfg.Timeout))

	return q
}

// OnEnd implements sdktrace.SpanProcessor.
func (q *spanQueue) OnEnd(span sdktrace.ReadOnlySpan) {
	if q.waiting.Add(1) <= q.max {
		q.SpanProcessor.OnEnd(span)

		return
	}

	q.waiting.Add(-1)
	q.overflowed.Add(1)

	now, last := time.Now().UnixNano(), q.overflowedAt.Load()
	if now-last >= int64(overflowLog) && q.overflowedAt.CompareAndSwap(last, now) {
		q.logger.Warn("spans are dropped: too many wait to be exported", "queue_size", q.max, "dropped", q.overflowed.Load())
	}
}

// queueExporter is what the batch processor exports to.
type queueExporter struct{ *spanQueue }

// Shutdown implements sdktrace.SpanExporter.
func (q queueExporter) Shutdown(ctx context.Context) error { return q.exporter.Shutdown(ctx) }

// ExportSpans implements sdktrace.SpanExporter. It returns no error, which the SDK would write to standard error: it logs it, once
// until an export succeeds.
func (q queueExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := q.exporter.ExportSpans(ctx, spans)
	count := int64(len(spans))

	q.waiting.Add(-count)

	if err == nil {
		q.exported.Add(count)
	} else {
		q.refused.Add(count)
	}

	switch failed := err != nil; {
	case q.failing.Swap(failed) == failed:
	case failed:
		q.logger.Warn("spans cannot be exported, and are dropped", "error", err)
	default:
		q.logger.Info("spans are exported again", "dropped", q.refused.Load())
	}

	return nil
}
