// Package runbook holds the test of docs/runbook.md: a gateway on which things go wrong is scraped, and the queries of the document
// are run by the engine of Prometheus.
package runbook
