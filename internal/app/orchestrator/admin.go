package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net"

	"go.uber.org/zap"

	"go.example/saga/internal/app/orchestrator/admin"
	"go.example/saga/internal/config"
	"go.example/saga/internal/httpapi"
	engine "go.example/saga/pkg/saga/orchestrator"
)

// minToken is the length in bytes below which a token can be guessed.
const minToken = 16

// serveAdmin answers operators until ctx is done; without an address it answers nobody.
func serveAdmin(ctx context.Context, s Settings, e *engine.Engine, log *zap.Logger) error {
	if s.AdminAddress == "" {
		<-ctx.Done()
		return nil
	}
	if _, err := s.adminToken(); err != nil {
		return err
	}
	if err := httpapi.Serve(ctx, s.AdminAddress, admin.Handler(e, s.adminToken, log), log.Named("admin")); err != nil {
		return fmt.Errorf("ADMIN_ADDRESS: %w", err)
	}
	return nil
}

// adminToken reads the token as it is now; it is empty where none is configured.
func (s *Settings) adminToken() (string, error) {
	secret, err := config.ReadSecret("ADMIN_TOKEN", s.AdminToken, s.AdminTokenFile)
	if err != nil {
		return "", err
	}
	token := secret.Reveal()
	if len(token) < minToken && (s.AdminToken != "" || s.AdminTokenFile != "") {
		return "", fmt.Errorf("the token for operators has %d bytes, want at least %d: see ADMIN_TOKEN_FILE and ADMIN_TOKEN",
			len(token), minToken)
	}
	return token, nil
}

func (s *Settings) validateAdmin() error {
	if s.AdminToken != "" && s.AdminTokenFile != "" {
		return errors.New("ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set: which one holds?")
	}
	if s.AdminAddress == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(s.AdminAddress)
	if err != nil {
		return fmt.Errorf("ADMIN_ADDRESS is not host:port, for example 127.0.0.1:8090: %w", err)
	}
	if !admin.IsLoopback(host) && s.AdminToken == "" && s.AdminTokenFile == "" {
		return fmt.Errorf("ADMIN_ADDRESS %s can be reached from other machines: set ADMIN_TOKEN_FILE or ADMIN_TOKEN, or use 127.0.0.1:%s",
			s.AdminAddress, port)
	}
	return nil
}
