package socket

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collect/providers/providertest"
)

// certificate writes a self-signed certificate for a name.
func certificate(t *testing.T, name string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

func TestTLSChecksTheOtherSide(t *testing.T) {
	cert, ca := certificate(t, "logs.test")
	_, otherCA := certificate(t, "logs.test")
	s := serve(t, "tcp")
	s.wrap = func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	s.start()
	defer s.stop()
	for name, tc := range map[string]struct {
		tls  TLS
		fail string
	}{
		"right":               {TLS{CA: ca, ServerName: "logs.test"}, ""},
		"wrong name":          {TLS{CA: ca, ServerName: "other.test"}, "other.test"},
		"wrong authority":     {TLS{CA: otherCA, ServerName: "logs.test"}, "certificate"},
		"system's only":       {TLS{ServerName: "logs.test"}, "certificate"},
		"checks switched off": {TLS{SkipVerify: true}, ""},
		"no such file":        {TLS{CA: "/does/not/exist"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config("tcp", s.addr)
			cfg.TLS = &tc.tls
			sink := providertest.Make(t, New, cfg, providertest.Env(t))
			err := sink.Open(t.Context())
			if (err == nil) != (tc.fail == "") || err != nil && !strings.Contains(err.Error(), tc.fail) {
				t.Errorf("got %v, want %q", err, tc.fail)
			}
			_ = sink.Close(context.Background())
		})
	}
	cfg := config("tcp", s.addr)
	cfg.TLS = &TLS{CA: ca, ServerName: "logs.test"}
	d := start(t, cfg)
	d.Must([]string{"secret"})
	d.Close()
	providertest.Eventually(t, "it arrives", func() bool { return s.text() == "secret\n" })
}
