package runbook_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// panel is one of a dashboard, or a row with its panels.
type panel struct {
	ID      int
	Title   string
	Type    string
	Panels  []panel
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, RefID string }
}

// The dashboard asks for what gateways show.
func TestNamesInDashboard(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../../deploy/grafana/portico.json")
	if err != nil {
		t.Fatal(err)
	}

	var dashboard struct {
		UID        string
		Panels     []panel
		Templating struct{ List []struct{ Name, Type string } }
	}

	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}

	var variables []string
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
	}

	if want := []string{"datasource", "instance", "route"}; !slices.Equal(variables, want) {
		t.Errorf("the variables are %q, want %q", variables, want)
	}

	s, ids, rows, last := shown(t), map[int]bool{}, 0, 0
	// As Grafana does.
	variable := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$instance", ".+", "$route", ".+")

	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.GridPos.Y < last || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d, %s: its id or its place is wrong", p.ID, p.Title)
		}

		ids[p.ID], last = true, p.GridPos.Y

		if p.Type == "row" {
			rows++
			continue
		}

		if len(p.Targets) == 0 {
			t.Errorf("panel %s has no query", p.Title)
		}

		for _, target := range p.Targets {
			s.holds(t, p.Title, variable.Replace(target.Expr))
		}
	}

	if rows < 7 {
		t.Errorf("the dashboard has %d rows", rows)
	}
}
