// Command configdoc writes what is generated from the types of bff/config: the JSON Schema of the configuration file, and the page
// about all settings. It runs in the root of the repository.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/portico-gateway/portico/bff/internal/tool/configdoc"
)

func main() {
	source := flag.String("source", "bff/config", "folder of the types")
	schema := flag.String("schema", "bff/config/schema.json", "file to write the schema to")
	page := flag.String("page", "docs/configuration.md", "file to write the page to")

	flag.Parse()

	if err := run(*source, *schema, *page); err != nil {
		fmt.Fprintln(os.Stderr, "configdoc:", err)
		os.Exit(1)
	}
}

func run(source, schema, page string) error {
	const readable = 0o644

	for _, generated := range []struct {
		file string
		make func(source string) ([]byte, error)
	}{{schema, configdoc.Schema}, {page, configdoc.Page}} {
		text, err := generated.make(source)
		if err != nil {
			return err
		}

		if err := os.WriteFile(generated.file, text, readable); err != nil {
			return err
		}
	}

	return nil
}
