package bff

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
)

// configurationPath is where operators get the configuration.
const configurationPath = "/config"

// serveConfiguration serves the configuration in use to operators, without its secrets. If it was read from a file and the
// environment, it says where each setting was set. It writes JSON, or YAML for clients that ask for that.
func (g *Gateway) serveConfiguration(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is allowed", http.StatusMethodNotAllowed)

		return
	}

	write, mediaType := writeJSON, "application/json"
	if strings.Contains(r.Header.Get("Accept"), "yaml") {
		write, mediaType = writeYAML, "application/yaml"
	}

	text, err := write(g.config())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)

		return
	}

	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Vary", "Accept")
	// The client may be gone.
	_, _ = w.Write(text)
}

func writeJSON(c config.Config) ([]byte, error) {
	shown, err := c.Shown()
	if err != nil {
		return nil, err
	}

	return json.Marshal(shown)
}

func writeYAML(c config.Config) ([]byte, error) {
	shown, err := c.Shown()
	if err != nil {
		return nil, err
	}

	return shown.YAML(true)
}
