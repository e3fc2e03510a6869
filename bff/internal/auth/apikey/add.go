package apikey

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Marshal returns a file with this entry alone.
func (e Entry) Marshal() ([]byte, error) {
	text, err := yaml.Marshal(map[string][]Entry{"keys": {e}})
	if err != nil {
		return nil, fmt.Errorf("marshal API key: %w", err)
	}

	return text, nil
}

// Add adds an entry at the end of the file, which is created if there is none. The rest of the file stays as it is; a file to which
// nothing can be added in this way is refused. Two programs must not do this at the same time.
func Add(path string, e Entry) error {
	const onlyOwner = 0o600

	before, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read API keys: %w", err)
	}

	after, err := e.addTo(before)
	if err != nil {
		return fmt.Errorf("add to API keys in %s: %w", path, err)
	}

	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+e.ID)
	if err := os.WriteFile(temp, after, onlyOwner); err != nil { //nolint:gosec // As above.
		return fmt.Errorf("write API keys: %w", err)
	}

	if err := os.Rename(temp, path); err != nil {
		return errors.Join(fmt.Errorf("write API keys: %w", err), os.Remove(temp))
	}

	return nil
}

func (e Entry) addTo(before []byte) ([]byte, error) {
	known, err := parse(before)
	if err != nil {
		return nil, err
	}

	text, err := e.Marshal()
	if err != nil {
		return nil, err
	}

	after := text

	if len(known) > 0 {
		_, item, _ := bytes.Cut(text, []byte("\n"))

		after = append(bytes.TrimRight(before, "\n"), '\n')
		after = append(after, indent(item, column(before))...)
	}

	all, err := parse(after)
	if err == nil && len(all) != len(known)+1 {
		err = errors.New("the list of keys must be at the end of the file")
	}

	return after, err
}

// column is how far the list of keys is indented.
func column(text []byte) int {
	var file struct {
		Keys yaml.Node `yaml:"keys"`
	}
	// It was parsed before, so it can be.
	_ = yaml.Unmarshal(text, &file)

	return max(file.Keys.Column-1, 0)
}

// indent indents lines so that the first begins at the column.
func indent(lines []byte, column int) []byte {
	text := strings.TrimLeft(string(lines), " ")
	before := strings.Repeat(" ", len(lines)-len(text))
	after := strings.Repeat(" ", column)

	return []byte(after + strings.ReplaceAll(text, "\n"+before, "\n"+after))
}
