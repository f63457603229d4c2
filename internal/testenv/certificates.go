package testenv

import (
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
	"time"
)

// authority is a CA of a test's own, good for a day. What it makes, it writes into dir.
type authority struct {
	file        string // its certificate, PEM
	pool        *x509.CertPool
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	issued      int64
}

// newAuthority makes the CA, and writes ca.pem.
func newAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.certificate)
	a.file, err = a.write("ca.pem", "CERTIFICATE", der)
	return a, err
}

// server makes a certificate for a server of these names and addresses, and writes name.pem and name.key.
func (a *authority) server(name string, names []string, addresses ...net.IP) (certificate, key string, err error) {
	return a.issue(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names, IPAddresses: addresses,
	})
}

// client makes a certificate for a client, and writes name.pem and name.key.
func (a *authority) client(name, subject string) (certificate, key string, err error) {
	return a.issue(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: subject},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) issue(name string, template *x509.Certificate) (certificate, key string, err error) {
	a.issued++
	template.SerialNumber = big.NewInt(1 + a.issued)
	template.NotBefore, template.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	template.KeyUsage = x509.KeyUsageDigitalSignature
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	if key, err = a.write(name+".key", "PRIVATE KEY", der); err != nil {
		return "", "", err
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key); err != nil {
		return "", "", err
	}
	certificate, err = a.write(name+".pem", "CERTIFICATE", der)
	return certificate, key, err
}

func (a *authority) write(name, kind string, der []byte) (path string, err error) {
	path = filepath.Join(a.dir, name)
	return path, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// makeCertificates makes a CA, and has it sign a certificate for the server and one for a client.
func (s *SlapdServer) makeCertificates() error {
	ca, err := newAuthority(s.dir)
	if err != nil {
		return err
	}
	s.CA, s.CAFile = ca.pool, ca.file
	if _, _, err = ca.server("server", []string{"localhost"}, net.IPv4(127, 0, 0, 1)); err != nil {
		return err
	}
	if s.ClientCertFile, s.ClientKeyFile, err = ca.client("client", "ldapsync-client"); err != nil {
		return err
	}
	s.ClientCert, err = tls.LoadX509KeyPair(s.ClientCertFile, s.ClientKeyFile)
	return err
}
