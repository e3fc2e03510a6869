package devissuer

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/MicahParks/jwkset"
)

var errKeyFile = errors.New("not an Ed25519 private key")

// loadOrCreate reports whether it made the key.
func loadOrCreate(file string) (key ed25519.PrivateKey, created bool, err error) {
	key, err = load(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}

	if created, err = create(file); err != nil {
		return nil, false, err
	}

	// What another process may have made.
	key, err = load(file)

	return key, created, err
}

func load(file string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(file) //nolint:gosec // The folder is the caller's choice.
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}

	jwk, err := jwkset.NewJWKFromRawJSON(data, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, fmt.Errorf("read key from %s: %w", file, err)
	}

	// The public half is in the file too. If it is another key's, signatures could not be verified.
	key, ok := jwk.Key().(ed25519.PrivateKey)
	if !ok || !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
		return nil, fmt.Errorf("read key from %s: %w", file, errKeyFile)
	}

	return key, nil
}

// create makes a key and puts it in place whole, unless there is one by now, which it reports.
func create(file string) (created bool, err error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return false, fmt.Errorf("generate key: %w", err)
	}

	jwk, err := toJWK(key, keyID(key), true)
	if err != nil {
		return false, err
	}

	data, err := json.MarshalIndent(jwk, "", "  ")
	if err != nil {
		return false, fmt.Errorf("marshal key: %w", err)
	}

	temp, err := writeTemp(filepath.Dir(file), data)
	if err != nil {
		return false, err
	}

	// Unlike a rename, a link does not replace what another process was quicker to put there.
	err = os.Link(temp, file)

	created = err == nil
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}

	if err := errors.Join(err, os.Remove(temp)); err != nil {
		return false, fmt.Errorf("write key: %w", err)
	}

	return created, nil
}

// writeTemp writes a new file in the folder that nobody else can read (os.CreateTemp makes it 0600).
func writeTemp(dir string, data []byte) (string, error) {
	file, err := os.CreateTemp(dir, ".dev-issuer-*")
	if err != nil {
		return "", fmt.Errorf("create file: %w", err)
	}

	_, err = file.Write(append(data, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write file: %w", err), os.Remove(file.Name()))
	}

	return file.Name(), nil
}

func toJWK(key any, kid string, private bool) (jwkset.JWKMarshal, error) {
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Marshal:  jwkset.JWKMarshalOptions{Private: private},
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.AlgEdDSA, KID: kid, USE: jwkset.UseSig},
	})
	if err != nil {
		return jwkset.JWKMarshal{}, fmt.Errorf("make JSON web key: %w", err)
	}

	return jwk.Marshal(), nil
}
