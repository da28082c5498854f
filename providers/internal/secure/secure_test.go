package secure

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"collect/runtime/flow/host"
)

// pair writes a certificate for a name, and its key.
func pair(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	return cert, key
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrongWithAFileNamesItAndNotItsContent(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, dir, "good")
	_, otherKey := pair(t, dir, "other")
	bad := filepath.Join(dir, "bad")
	write(t, bad, "the word is swordfish")
	large := filepath.Join(dir, "large")
	write(t, large, strings.Repeat("swordfish", 200_000))
	missing := filepath.Join(dir, "missing")
	for name, tc := range map[string]struct {
		files Files
		want  []string
	}{
		"no authority":     {Files{CA: bad}, []string{"tls.ca", bad, "no certificate"}},
		"missing":          {Files{CA: missing}, []string{"tls.ca", "missing"}},
		"too large":        {Files{CA: large}, []string{"tls.ca", large}},
		"no key":           {Files{Cert: cert, Key: missing}, []string{"tls.key", "missing"}},
		"a damaged key":    {Files{Cert: cert, Key: bad}, []string{cert, bad}},
		"somebody's key":   {Files{Cert: cert, Key: otherKey}, []string{otherKey}},
		"a key as its own": {Files{Cert: key, Key: key}, []string{key}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.files.Config(host.FS())
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "swordfish") || strings.Contains(err.Error(), "PRIVATE KEY-----") {
				t.Errorf("a secret stands in %q", err)
			}
		})
	}
}

// Kubernetes and certbot give links, whose targets change at each renewal.
func TestLinksAreFollowedToWhatIsChecked(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, dir, "good")
	open := filepath.Join(dir, "open.key")
	fifo := filepath.Join(dir, "fifo")
	raw, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, open, string(raw))
	if err := errors.Join(os.Chmod(open, 0o644), syscall.Mkfifo(fifo, 0o600), os.Symlink("good.crt", dir+"/..data"), os.Symlink("..data", dir+"/tls.crt"),
		os.Symlink(key, dir+"/tls.key"), os.Symlink(open, dir+"/link to open"), os.Symlink(fifo, dir+"/link to fifo"), os.Symlink("round", dir+"/round")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		files Files
		want  string
	}{
		"links":               {Files{CA: dir + "/tls.crt", Cert: dir + "/tls.crt", Key: dir + "/tls.key"}, ""},
		"an open key":         {Files{Cert: cert, Key: open}, "tls.key: " + open + " may be read by all users (mode 0644)"},
		"a link to one":       {Files{Cert: cert, Key: dir + "/link to open"}, "link to open may be read by all users"},
		"no regular file":     {Files{CA: dir + "/link to fifo"}, "not a regular file"},
		"a directory":         {Files{CA: dir}, "not a regular file"},
		"links in a circle":   {Files{CA: dir + "/round"}, "too many levels"},
		"an open certificate": {Files{CA: open}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, loaded := tc.files.Config(host.FS())
			if name == "an open certificate" {
				loaded = nil // it holds none, and may be read
			}
			for _, err := range []error{tc.files.Check(host.FS()), loaded} {
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
			}
		})
	}
}

func TestTheOtherSideMustBeWhomWeDialled(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, dir, "here.example")
	stranger, _ := pair(t, dir, "stranger.example")
	mine, err := Files{Cert: cert, Key: key}.Config(host.FS())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		files   Files
		address string
		ok      bool
	}{
		"as dialled":          {Files{CA: cert}, "here.example:1", true},
		"another host":        {Files{CA: cert}, "there.example:1", false},
		"another name is set": {Files{CA: cert, ServerName: "here.example"}, "there.example:1", true},
		"unknown authority":   {Files{CA: stranger}, "here.example:1", false},
		"not checked":         {Files{SkipVerify: true}, "there.example:1", true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := tc.files.Config(host.FS())
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			served := make(chan struct{})
			go func() {
				defer close(served)
				b, err := l.Accept()
				if err != nil {
					return
				}
				_ = b.SetDeadline(time.Now().Add(time.Minute))
				_ = tls.Server(b, mine).Handshake() // the client says what is wrong
				_ = b.Close()
			}()
			a, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := Client(t.Context(), a, cfg, tc.address)
			if (err == nil) != tc.ok {
				t.Errorf("got %v", err)
			}
			if c != nil {
				_ = a.Close()
			}
			<-served
		})
	}
}
