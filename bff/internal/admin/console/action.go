package console

// The actions are POST (or PUT) requests with JSON bodies, at /console/actions/ and their name, with the header
// "Authorization: Bearer" and the credential of admin.credential. They respond with 200 and a Result, or with a problem document:
// 400 (the body is wrong), 401 (wrong or no credential), 403 (no credential is configured, or another origin), 404 (there is no
// such upstream, method, address or action), 409 (it cannot be done now), 422 (the configuration was refused; the member "faults"
// lists why), 429 (too many wrong credentials), 503 (done here, but other gateways may not know yet).

// The states of BreakerAction.
const (
	BreakerOpen   = "open"
	BreakerClosed = "closed"
	BreakerAuto   = "auto"
)

// BreakerAction is the body of /console/actions/breaker.
type BreakerAction struct {
	Upstream string `json:"upstream"`
	// RPC is a method with a breaker of its own, as in a selector. Absent: the breaker of the upstream.
	RPC string `json:"rpc,omitempty"`
	// State is BreakerOpen (every call is refused) or BreakerClosed (every call is made, and none is counted), both until it is
	// changed, or BreakerAuto: it is closed, has counted nothing, and opens by itself.
	State string `json:"state"`
}

// DrainAction is the body of /console/actions/drain. Without an upstream it is about the gateway: it reports that it is not ready,
// so that load balancers send it nothing, and serves what comes. With an upstream and an address, no new call goes to the address;
// calls and streams that have begun go on.
type DrainAction struct {
	Upstream string `json:"upstream,omitempty"`
	Address  string `json:"address,omitempty"`
	// Drained begins it, or ends it if it is false.
	Drained bool `json:"drained"`
}

// LogLevelAction is the body of /console/actions/log-level.
type LogLevelAction struct {
	// Level is "debug", "info", "warn" or "error". Empty: the level of the configuration applies again.
	Level string `json:"level,omitempty"`
	// For is how long, as "5m"; 10m if it is empty, 24h at most.
	For string `json:"for,omitempty"`
}

// PurgeAction is the body of /console/actions/purge.
type PurgeAction struct {
	// Tag is the cache tag whose responses become obsolete, with its values, as "order:ord_1". Gateways with the same Redis forget
	// them, too.
	Tag string `json:"tag"`
}

// ReloadAction is the body of /console/actions/reload: {}, or nothing.
type ReloadAction struct{}

// Result is the body of the response to an action that was done.
type Result struct {
	// Done says in a sentence what was done.
	Done string `json:"done"`
	// Hash and Changed are those of a reload: the configuration in use, and the settings that have changed.
	Hash    string   `json:"hash,omitempty"`
	Changed []string `json:"changed,omitempty"`
}
