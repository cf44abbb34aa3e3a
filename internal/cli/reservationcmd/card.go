package reservationcmd

import (
	"bufio"
	"io"
	"os"
	"strings"

	"go.example/saga/internal/cli"
)

// cardVariable holds a card number for the command. A flag could not: every user
// of the machine can read a command line.
const cardVariable = "CARD_NUMBER"

// cardNumber is what to send as creditCardNo. Its errors never quote a number.
func cardNumber(lastFour string, fromStdin bool, stdin io.Reader) (string, error) {
	switch {
	case lastFour != "" && fromStdin:
		return "", cli.Usagef("--card-last4 and --card-stdin exclude each other")
	case lastFour != "":
		if len(lastFour) != 4 {
			return "", cli.Usagef("--card-last4 takes exactly the last four digits, never the whole number")
		}
		return "************" + lastFour, nil
	case fromStdin:
		line, err := bufio.NewReader(io.LimitReader(stdin, 100)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", cli.Usagef("read the card number: %w", err)
		}
		return strings.TrimSpace(line), nil
	case os.Getenv(cardVariable) != "":
		return os.Getenv(cardVariable), nil
	default:
		return "", cli.Usagef("no card: use --card-last4 7999, --card-stdin, or the environment variable %s", cardVariable)
	}
}
