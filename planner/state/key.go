package state

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Key is the installation's key: it makes fingerprints of secrets, authenticates saved plans, and seals the secrets in them.
type Key struct{ raw []byte }

const keyBytes = 32

// TemporaryKey is for a plan where there is no data directory: what it makes can be compared with nothing else.
func TemporaryKey() (*Key, error) {
	raw := make([]byte, keyBytes)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return &Key{raw: raw}, nil
}

// LoadKey reads the key of a data directory. The error is fs.ErrNotExist where there is none.
func LoadKey(dir string) (*Key, error) {
	text, err := readFile(filepath.Join(dir, "key"), 1<<10)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != keyBytes {
		return nil, fmt.Errorf("key %s is damaged. It is safe to delete it: secrets are then applied again, and saved plans are refused", filepath.Join(dir, "key"))
	}
	return &Key{raw: raw}, nil
}

// KeepKey makes k the key of a data directory that has none, and gives the key that it has. The directory must exist.
func KeepKey(dir string, k *Key) (*Key, error) {
	had, err := LoadKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return had, err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	defer os.Remove(f.Name()) // its other name stays
	if err := fill(f, []byte(hex.EncodeToString(k.raw)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	// A link fails where the name exists: of two commands at once, one key wins, and both use it.
	if err := os.Link(f.Name(), filepath.Join(dir, "key")); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make key: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return LoadKey(dir)
}

// Equal says whether two keys are the same.
func (k *Key) Equal(o *Key) bool { return hmac.Equal(k.raw, o.raw) }

func (k *Key) mac(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, k.raw)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}

// Fingerprint gives something that changes with a secret and tells nothing about it to whoever has not the key.
func (k *Key) Fingerprint(secret string) string {
	return hex.EncodeToString(k.mac("fingerprint", []byte(secret))[:12])
}

// Authenticate gives the authentication code of a saved plan.
func (k *Key) Authenticate(data []byte) string { return hex.EncodeToString(k.mac("plan", data)) }

// Authentic compares codes in constant time.
func (k *Key) Authentic(data []byte, code string) bool {
	return hmac.Equal([]byte(k.Authenticate(data)), []byte(code))
}

func (k *Key) sealer() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.mac("seal", nil))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts the secrets of a saved plan.
func (k *Key) Seal(plain []byte) ([]byte, error) {
	a, err := k.sealer()
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, nil), nil
}

// Unseal gives what was sealed with this key.
func (k *Key) Unseal(sealed []byte) ([]byte, error) {
	a, err := k.sealer()
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, sealed, nil)
}
