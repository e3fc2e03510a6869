package deploytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// portico is the path of the program.
var portico string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "portico-deploy")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	portico = filepath.Join(dir, "portico")

	// The build of `make bin/portico`, so that packages are compiled once.
	build := exec.Command("go", "build", "-C", "../..", "-tags", "grpcnotrace", "-ldflags=-w", "-o", portico, "./bff/cmd/portico")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}

	return m.Run()
}

// check runs `portico check` and returns what it says if there are faults. Warnings are none: another program may have the ports.
func check(t *testing.T, path string) string {
	t.Helper()

	command := exec.CommandContext(t.Context(), portico, "check", "--config", path)
	command.Env = []string{"HOME=" + t.TempDir()}

	var stderr bytes.Buffer
	command.Stderr = &stderr

	if err := command.Run(); err != nil {
		return err.Error() + ": " + stderr.String()
	}

	return ""
}

// duration is one as in the configuration, such as 5s.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)

	return err
}

// settings are those of a configuration in effect that the manifests have to fit to.
type settings struct {
	Server struct {
		Address      string   `json:"address"`
		DrainDelay   duration `json:"drain_delay"`
		DrainTimeout duration `json:"drain_timeout"`
	} `json:"server"`
	Admin struct {
		Address string `json:"address"`
	} `json:"admin"`
	Health struct {
		Address string `json:"address"`
	} `json:"health"`
	Auth struct {
		KeysGrace duration `json:"keys_grace"`
	} `json:"auth"`
	Redis struct {
		Addresses []string `json:"addresses"`
	} `json:"redis"`
	Tracing struct {
		Endpoint string   `json:"endpoint"`
		Timeout  duration `json:"timeout"`
	} `json:"tracing"`
	Upstreams map[string]struct {
		Target string `json:"target"`
	} `json:"upstreams"`
}

// inEffect returns the settings of a configuration, with the defaults.
func inEffect(t *testing.T, path string) (settings, error) {
	t.Helper()

	out, err := exec.CommandContext(t.Context(), portico, "config", "show", "--config", path, "--output", "json").Output()
	if err != nil {
		return settings{}, err
	}

	var shown struct {
		Configuration settings `json:"configuration"`
	}

	err = json.Unmarshal(out, &shown)

	return shown.Configuration, err
}
