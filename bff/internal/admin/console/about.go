package console

import "time"

// About is what the gateway is and how it is configured. It is the data of the event "about", which is sent when a page connects
// and whenever the content has changed. It has no secrets.
type About struct {
	// Version is that of Portico, Revision that of the program's repository, and Go that of the Go release; "unknown" if the build
	// does not say.
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	// Instance is the name of the host, which in Kubernetes is that of the pod.
	Instance string `json:"instance"`
	// Started is when the gateway was opened.
	Started       time.Time     `json:"started"`
	Configuration Configuration `json:"configuration"`
	// Services are in the order of their names.
	Services []Service `json:"services"`
	// Actions are those that this gateway has, by the last part of their paths: "breaker", "drain", "log-level", "purge", "reload".
	Actions []string `json:"actions"`
	// ActionsRefused says why every action is refused: no credential is configured. Empty: one is.
	ActionsRefused string `json:"actions_refused,omitempty"`
}

// Configuration is the configuration in use.
type Configuration struct {
	// Hash identifies it, as portico_config_info does.
	Hash string `json:"hash"`
	// Loaded is since when it is in use.
	Loaded time.Time `json:"loaded"`
	// LastReload is the last attempt to use another one. Absent: there was none.
	LastReload *Reload `json:"last_reload,omitempty"`
}

// The results of a reload.
const (
	ReloadAccepted = "accepted"
	ReloadRefused  = "refused"
)

// Reload is an attempt to use another configuration.
type Reload struct {
	Time time.Time `json:"time"`
	// Trigger is what caused it: "SIGHUP", "file", "POST /reload", "console", "program".
	Trigger string `json:"trigger"`
	// Result is ReloadAccepted or ReloadRefused.
	Result string `json:"result"`
	// Faults are why it was refused, each with its place.
	Faults []string `json:"faults,omitempty"`
	// Changed are the settings that an accepted one has changed, without their values.
	Changed []string `json:"changed,omitempty"`
}

// Service is a service with its routes.
type Service struct {
	// Name is its full name, "order.v1.OrderService".
	Name string `json:"name"`
	// Upstream is the name of its backend. Absent: it is a composite, which the gateway itself implements.
	Upstream  string `json:"upstream,omitempty"`
	Composite bool   `json:"composite,omitempty"`
	// Routes are in the order in which the gateway matches them: the most specific first.
	Routes []Route `json:"routes"`
}

// The kinds of streams.
const (
	StreamClient = "client"
	StreamServer = "server"
	StreamBoth   = "both"
)

// Route is a route with its effective policy. Method and Path identify it, here and in State.
type Route struct {
	// Method is the HTTP method.
	Method string `json:"method"`
	// Path is the path template, "/v1/users/{user_id}".
	Path string `json:"path"`
	// RPC is its method as in a selector, "user.v1.UserService.GetUser".
	RPC string `json:"rpc"`
	// Stream is which side sends several messages: StreamClient, StreamServer or StreamBoth. Absent: neither.
	Stream string `json:"stream,omitempty"`
	// Summary is the policy on one line, as `portico routes` prints it.
	Summary string `json:"summary"`
	// Policy is all of it, in the order and words of `portico explain`. A name may come more than once, as of several rate limits.
	Policy []Row `json:"policy"`
}

// Row is a field of a policy in words.
type Row struct {
	// Name is that of the field, "rate limit".
	Name string `json:"name"`
	// Value says what it does.
	Value string `json:"value"`
}
