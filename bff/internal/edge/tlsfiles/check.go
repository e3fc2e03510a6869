package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// maxWarning is how long before its end a certificate is reported, unless a third of its time is shorter: those of a day or an hour
// are replaced more often.
const maxWarning = 14 * 24 * time.Hour

// Problem is something that Check found.
type Problem struct {
	// Setting is the field of the configuration that names the file: "cert_file", "key_file", "ca_file".
	Setting string
	// Err says what is wrong, with the name of the file.
	Err error
	// Warning reports that the files can still be used.
	Warning bool
}

// Check finds all that is wrong with the files: what Open refuses, and certificates that are not valid at a time, or will not be
// soon.
func Check(paths Paths, now time.Time) []Problem {
	c := checking{now: now}

	cert, key := c.read("cert_file", paths.Cert), c.read("key_file", paths.Key)

	if chain := c.parse("cert_file", paths.Cert, cert); chain != nil {
		c.pair(paths, cert, key)

		for i, certificate := range chain {
			c.period("cert_file", paths.Cert, named(certificate, i, len(chain)), certificate, false)
		}
	}

	authorities := c.parse("ca_file", paths.CA, c.read("ca_file", paths.CA))

	ended := 0

	for _, authority := range authorities {
		if now.After(authority.NotAfter) {
			ended++
		}
	}

	for i, authority := range authorities {
		// A bundle may keep old ones.
		c.period("ca_file", paths.CA, named(authority, i, len(authorities)), authority, ended < len(authorities))
	}

	return c.problems
}

type checking struct {
	now      time.Time
	problems []Problem
}

func (c *checking) add(setting, file string, err error) {
	if err != nil {
		c.problems = append(c.problems, Problem{Setting: setting, Err: fmt.Errorf("%s: %w", file, err)})
	}
}

// read returns the content of a file; nil if there is none.
func (c *checking) read(setting, file string) []byte {
	if file == "" {
		return nil
	}

	text, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		c.problems = append(c.problems, Problem{Setting: setting, Err: err}) // It has the name.

		return nil
	}

	return text
}

func (c *checking) parse(setting, file string, text []byte) []*x509.Certificate {
	if text == nil {
		return nil
	}

	parsed, err := certificates(text)
	c.add(setting, file, err)

	return parsed
}

// pair checks that the key is that of the certificate.
func (c *checking) pair(paths Paths, cert, key []byte) {
	if key == nil {
		return
	}

	_, err := tls.X509KeyPair(cert, key)
	c.add("key_file", paths.Key, err)
}

// named says which certificate of a file it is.
func named(certificate *x509.Certificate, index, of int) string {
	name := certificate.Subject.String()
	if name == "" && len(certificate.DNSNames) > 0 {
		name = certificate.DNSNames[0]
	}

	if of == 1 {
		return fmt.Sprintf("the certificate (%s)", name)
	}

	return fmt.Sprintf("certificate %d (%s)", index+1, name)
}

// period checks when a certificate is valid. If it is only one of several that will do, what is wrong with it is a warning.
func (c *checking) period(setting, file, name string, certificate *x509.Certificate, oneOfSeveral bool) {
	from, to := certificate.NotBefore, certificate.NotAfter

	soon := min(maxWarning, to.Sub(from)/3)

	var (
		err  error
		time = "2006-01-02 15:04:05 MST"
	)

	switch {
	case c.now.After(to):
		err = fmt.Errorf("expired on %s", to.UTC().Format(time))
	case c.now.Before(from):
		err = fmt.Errorf("is not valid before %s", from.UTC().Format(time))
	case to.Sub(c.now) < soon:
		err, oneOfSeveral = fmt.Errorf("expires on %s", to.UTC().Format(time)), true
	}

	if err != nil {
		c.problems = append(c.problems, Problem{
			Setting: setting, Warning: oneOfSeveral, Err: errors.New(file + ": " + name + " " + err.Error()),
		})
	}
}
