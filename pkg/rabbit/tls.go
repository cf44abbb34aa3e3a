package rabbit

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSFiles gives a [Config].TLS of PEM files. They are read again at each dial,
// so that certificates can be replaced while the process runs.
//
// ca holds the authorities that may sign the broker's certificate, in place of
// the system's. cert and key are this side's certificate, for a broker that asks
// for one, and come together. An empty name leaves its part out; with all three
// empty the result is nil.
func TLSFiles(ca, cert, key string) func() (*tls.Config, error) {
	if ca == "" && cert == "" && key == "" {
		return nil
	}
	return func() (*tls.Config, error) {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if ca != "" {
			roots, err := readRoots(ca)
			if err != nil {
				return nil, err
			}
			config.RootCAs = roots
		}
		if cert != "" || key != "" {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return nil, fmt.Errorf("read the certificate %q with the key %q: %w", cert, key, err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		return config, nil
	}
}

func readRoots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the certificate authorities: %s holds no certificate in PEM", file)
	}
	return roots, nil
}
