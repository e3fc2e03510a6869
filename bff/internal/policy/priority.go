package policy

import porticov1 "github.com/portico-gateway/portico/gen/portico/v1"

// Priority says who is refused first: the lower ones.
type Priority int

// The priorities of portico.v1.Priority.
const (
	PriorityLow Priority = iota - 1
	PriorityNormal
	PriorityCritical
)

// String names the priority as the table of routes prints it.
func (p Priority) String() string {
	switch p {
	case PriorityLow:
		return "low"
	case PriorityNormal:
		return "normal"
	case PriorityCritical:
		return "critical"
	default:
		return "unknown"
	}
}

func (c *compiler) priority(in porticov1.Priority) Priority {
	switch in {
	case porticov1.Priority_PRIORITY_LOW:
		return PriorityLow
	case porticov1.Priority_PRIORITY_UNSPECIFIED, porticov1.Priority_PRIORITY_NORMAL:
		return PriorityNormal
	case porticov1.Priority_PRIORITY_CRITICAL:
		return PriorityCritical
	default:
		c.faultf("priority", "%d is unknown to this gateway", in)

		return PriorityNormal
	}
}
