package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/portico-gateway/portico/backends"
)

// backendSwitch lists, stops and starts the demo backends. A name is an instance ("user-1") or a service ("user", all of its
// replicas).
func backendSwitch(fleet *backends.Fleet) http.Handler {
	r := chi.NewRouter()
	r.Get("/dev/backends", func(w http.ResponseWriter, _ *http.Request) { writeInstances(w, fleet) })
	r.Post("/dev/backends/{name}/stop", switchTo(fleet, fleet.StopInstance))
	r.Post("/dev/backends/{name}/start", switchTo(fleet, fleet.StartInstance))

	return r
}

func switchTo(fleet *backends.Fleet, change func(name string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := change(chi.URLParam(r, "name"))

		switch {
		case errors.Is(err, backends.ErrUnknownInstance):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			writeInstances(w, fleet)
		}
	}
}

func writeInstances(w http.ResponseWriter, fleet *backends.Fleet) {
	type instance struct {
		Name    string `json:"name"`
		Address string `json:"address"`
		Running bool   `json:"running"`
	}

	instances := fleet.Instances()
	list := make([]instance, 0, len(instances))

	for _, s := range instances {
		list = append(list, instance{Name: s.Name, Address: s.Address, Running: s.Running})
	}

	w.Header().Set("Content-Type", "application/json")
	// The reader may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(list)
}
