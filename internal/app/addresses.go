package app

import (
	"fmt"

	"go.example/saga/internal/address"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/rabbit"
)

// CheckDatabase judges the address of a database before anything is connected. The error
// names the variable and holds nothing of the address.
func CheckDatabase(variable string, url config.Secret) error {
	if _, err := address.ParseDatabase(url.Reveal()); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}

// CheckBroker does the same for the addresses of a broker, which must not be empty.
func CheckBroker(variable string, url config.Secret) error {
	if err := rabbit.CheckURL(url.Reveal()); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}
