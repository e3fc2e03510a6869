package bff

import (
	"encoding/json"
	"net/http"
	"strings"
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

	status := http.StatusOK
	err := g.ReloadFromSource(r.Context(), "POST "+reloadPath)
	state := g.ReloadState()
	body := reloaded{Hash: state.Hash, Changed: state.Changed}

	if err != nil {
		status = http.StatusUnprocessableEntity
		body.Changed, body.Faults = nil, strings.Split(err.Error(), "\n")
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(body)
}

// reloadNotes say, for the readiness, that the configuration on disk is not the one in use. That does not make a gateway unready.
func (g *Gateway) reloadNotes() []string {
	state := g.ReloadState()
	if state.Refused == nil {
		return nil
	}

	return append([]string{"the last reload was refused; the configuration before it is in use (" + state.Hash + "):"},
		strings.Split(state.Refused.Error(), "\n")...)
}
