package bff

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/admin"
)

// reloadPath is where operators reload, on the admin listener.
const reloadPath = "/reload"

// reloaded is the response to a reload, as JSON.
type reloaded struct {
	// Hash is that of the configuration in use.
	Hash string `json:"hash"`
	// Changed are the settings that have changed, and Faults why nothing has.
	Changed []string `json:"changed,omitempty"`
	Faults  []string `json:"faults,omitempty"`
}

// serveReload reads the configuration again. The status is 200 if it is in use now, and 422 if it was refused.
func (g *Gateway) serveReload(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "use POST", http.StatusMethodNotAllowed)

		return
	}

	if g.current().compiled.options.source == nil {
		http.Error(w, errNoSource.Error(), http.StatusNotFound)
		return
	}

	body := g.reloadAs(r.Context(), "POST "+reloadPath)

	status := http.StatusOK
	if body.Faults != nil {
		status = http.StatusUnprocessableEntity
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(body)
}

// reloadAs reads the configuration again for an operator.
func (g *Gateway) reloadAs(ctx context.Context, trigger string) reloaded {
	err := g.ReloadFromSource(ctx, trigger)
	state := g.ReloadState()

	if err != nil {
		return reloaded{Hash: state.Hash, Faults: strings.Split(err.Error(), "\n")}
	}

	return reloaded{Hash: state.Hash, Changed: state.Changed}
}

// check says whether the configuration on disk is the one in use. If it is not, that does not make a gateway unready.
func (s ReloadState) check() (state, detail string) {
	if s.Refused != nil {
		return "refused", "the last reload; the configuration before it is in use (" + s.Hash + "): " +
			strings.ReplaceAll(s.Refused.Error(), "\n", "; ")
	}

	return admin.OK, s.Hash
}
