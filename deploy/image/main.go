// Command image writes the OCI image of Portico as a folder in the OCI image layout: an index with an image for each platform. Each
// has one layer, and no base. The same arguments give the same bytes. It needs no daemon and no network.
//
//	image -out dist/image -version v1.2.3 -revision 0123abc -created 2026-01-02T03:04:05Z -license LICENSE linux/amd64=bin/portico
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// release is what the image is made of.
type release struct {
	version, revision string
	created           time.Time
	// license is the path of the license.
	license string
	// programs are the paths of the programs, in the order of the command line.
	programs []program
}

type program struct {
	// platform is as in linux/amd64.
	platform, path string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var r release

	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	out := flags.String("out", "", "folder to write, which must not exist")
	flags.StringVar(&r.version, "version", "", "version of the programs")
	flags.StringVar(&r.revision, "revision", "", "commit of the programs")
	flags.StringVar(&r.license, "license", "", "path of the license")
	flags.Func("created", "time of the commit, as of RFC 3339", func(text string) (err error) {
		r.created, err = time.Parse(time.RFC3339, text)

		return err
	})

	if err := flags.Parse(args); err != nil {
		return err
	}

	for _, arg := range flags.Args() {
		platform, path, found := strings.Cut(arg, "=")
		if !found {
			return fmt.Errorf("argument %q: must be PLATFORM=PATH", arg)
		}

		r.programs = append(r.programs, program{platform: platform, path: path})
	}

	if *out == "" || r.version == "" || r.revision == "" || r.license == "" || r.created.IsZero() || len(r.programs) == 0 {
		return errors.New("all flags and at least one program must be given")
	}

	return r.write(*out)
}
