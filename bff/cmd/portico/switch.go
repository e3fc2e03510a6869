package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/portico-gateway/portico/backends"
)

// backend is what is behind the gateway, as it is listed.
type backend struct {
	// Name is an instance ("user-1"), or a service that no instance is of.
	Name    string `json:"name"`
	Service string `json:"service"`
	// Address is empty for what does not run from here.
	Address string `json:"address"`
	Running bool   `json:"running"`
	// State is "running" or "stopped", or "mock", or "external": only the first two are switched.
	State string `json:"state"`
}

// backendSwitch lists, stops and starts the demo backends.
type backendSwitch struct {
	fleet *backends.Fleet
	// mocked are services whose replies are made from the protos.
	mocked []string
	// external are services whose upstream is configured, sorted. The gateway calls no instances of theirs.
	external []string
}

// handler serves them below /dev/backends. A name is an instance ("user-1") or a service ("user", all of its replicas).
func (s backendSwitch) handler() http.Handler {
	r := chi.NewRouter()
	r.Get("/dev/backends", func(w http.ResponseWriter, _ *http.Request) { s.write(w) })
	r.Post("/dev/backends/{name}/stop", s.to(s.fleet.StopInstance))
	r.Post("/dev/backends/{name}/start", s.to(s.fleet.StartInstance))

	return r
}

func (s backendSwitch) to(change func(name string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := change(chi.URLParam(r, "name"))

		switch {
		case errors.Is(err, backends.ErrUnknownInstance):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			s.write(w)
		}
	}
}

func (s backendSwitch) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	// An error means that the client is gone.
	_ = json.NewEncoder(w).Encode(s.list())
}

func (s backendSwitch) list() []backend {
	list := []backend{}

	for _, i := range s.fleet.Instances() {
		if slices.Contains(s.external, i.Service) {
			continue
		}

		state := "stopped"
		if i.Running {
			state = "running"
		}

		list = append(list, backend{Name: i.Name, Service: i.Service, Address: i.Address, Running: i.Running, State: state})
	}

	for _, name := range s.mocked {
		list = append(list, backend{Name: name, Service: name, Running: true, State: "mock"})
	}

	for _, name := range s.external {
		if !slices.Contains(s.mocked, name) {
			list = append(list, backend{Name: name, Service: name, Running: true, State: "external"})
		}
	}

	return list
}
