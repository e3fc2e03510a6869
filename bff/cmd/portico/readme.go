package main

import (
	"regexp"
	"runtime/debug"
)

// repository is where the source and its documentation are published.
const repository = "https://github.com/portico-gateway/portico"

// readme is where the documentation of this program's version is.
func readme() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}

	return readmeOf(info)
}

// released matches the version of a release, which has a tag, and no pseudo-version (golang.org/ref/mod#pseudo-versions).
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?$`)

// readmeOf is the README at the tag or the commit that a program was built from, else the newest one.
func readmeOf(info *debug.BuildInfo) string {
	if released.MatchString(info.Main.Version) {
		return repository + "/tree/" + info.Main.Version + "#readme"
	}

	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && setting.Value != "" {
			return repository + "/tree/" + setting.Value + "#readme"
		}
	}

	return repository + "#readme"
}
