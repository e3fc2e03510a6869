package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	tsImport   = regexp.MustCompile(`(?m)^import .*;\n`)
	tsWord     = regexp.MustCompile(`\w+`)
	tsEllipsis = regexp.MustCompile(`(?m)([^\w"'…]) ?…$`)
)

// checkTypeScript compiles blocks of TypeScript under the settings of web/tsconfig.json, as modules of a project that has the client
// as a package. They may use the exports of the client, a client, and what their given comments declare.
func (n *newcomer) checkTypeScript(t *testing.T, blocks []block) {
	t.Helper()

	dir := filepath.Join(n.dir, "web", "blocks")
	writeAll(t, filepath.Join(dir, "package.json"), `{"type": "module"}`)
	writeAll(t, filepath.Join(dir, "tsconfig.json"), `{
		"extends": "../tsconfig.json",
		"compilerOptions": {
			"noEmit": true, "noUnusedLocals": false,
			"paths": {"@portico/client": ["../client/index.js"], "@portico/client/schema": ["../../gen/ts/schema.js"]}
		},
		"include": ["*.ts"]
	}`)

	// What commands of the page wrote.
	if schema, err := os.ReadFile(filepath.Join(n.dir, "web", "schema.ts")); err == nil {
		write(t, filepath.Join(dir, "schema.ts"), string(schema))
	}

	for _, b := range blocks {
		write(t, filepath.Join(dir, fmt.Sprintf("line%d.ts", b.line)), tsModule(b))
	}

	check := exec.CommandContext(t.Context(), filepath.Join(n.dir, "web/node_modules/.bin/tsc"), "--project", dir)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("the blocks of %s (lineN.ts is the block at line N): %v\n%s", blocks[0].page, err, out)
	}
}

// clientExports are the values and types that the package of the client exports.
var clientExports = []string{
	"createClient", "Client", "ClientOptions", "WatchInit", "idempotencyKey", "ProblemError", "problemFrom", "NetworkError",
	"events", "lines", "messages", "StreamCutError", "StreamEvent", "browserSession",
}

// tsModule makes a module of a block, with the imports that the page shows in blocks before it.
func tsModule(b block) string {
	body := tsEllipsis.ReplaceAllString(b.text, "$1 {}")
	imports := strings.Join(tsImport.FindAllString(body, -1), "")
	body = tsImport.ReplaceAllString(body, "")
	given := b.given

	if regexp.MustCompile(`\bclient\.`).MatchString(body) && !regexp.MustCompile(`\b(const|let) client\b`).MatchString(body+given) {
		given += "\ndeclare const client: Client;"
	}

	var missing []string

	words := tsWord.FindAllString(body+given, -1)

	for _, name := range clientExports {
		if slices.Contains(words, name) && !slices.Contains(tsWord.FindAllString(imports, -1), name) {
			missing = append(missing, name)
		}
	}

	var own string

	if len(missing) > 0 {
		// Types among them are left out of what is emitted; nothing is.
		own = "import { " + strings.Join(missing, ", ") + " } from \"@portico/client\";\n"
		for _, name := range []string{"Client", "ClientOptions", "WatchInit", "StreamEvent"} {
			own = regexp.MustCompile(`([ ,])`+name+`\b`).ReplaceAllString(own, "${1}type "+name)
		}
	}

	return imports + own + given + "\n" + body + "\nexport {};\n"
}
