package services

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// ctl administers virtual hosts with rabbitmqctl: `rabbitmqctl eval` does many
// changes in one call, where the plain commands take a second or two each.
type ctl struct {
	label   string
	command func(ctx context.Context, args ...string) *exec.Cmd
}

// systemCtl reaches the machine's default node; it needs root.
func systemCtl() vhostAdmin {
	return ctl{label: "rabbitmqctl", command: func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "rabbitmqctl", args...)
	}}
}

func (c ctl) name() string { return c.label }

//go:embed vhosts.erl
var changeProgram string

// What the program answers.
var (
	printedOurs    = regexp.MustCompile(`(?s)^\{ours,(.*)\}$`)
	printedForeign = regexp.MustCompile(`^\{foreign,<<"([^"]*)">>\}$`)
	printedName    = regexp.MustCompile(`<<"([^"]*)">>`)
)

func (c ctl) change(ctx context.Context, proof string, add, remove []string) ([]string, error) {
	removed, err := erlangList(remove)
	if err != nil {
		return nil, err
	}
	added, err := erlangList(add)
	if err != nil {
		return nil, err
	}
	program := strings.NewReplacer("$PROOF", proof, "$MARK", Mark, "$ADD", added, "$REMOVE", removed).Replace(changeProgram)
	command := c.command(ctx, "eval", program)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine([]byte(complaint.String()+string(out))))
	}
	answer := strings.TrimSpace(string(out))
	if foreign := printedForeign.FindStringSubmatch(answer); foreign != nil {
		return nil, foreignVhost(foreign[1])
	}
	if answer == "another_broker" {
		return nil, errAnotherBroker
	}
	ours := printedOurs.FindStringSubmatch(answer)
	if ours == nil {
		return nil, fmt.Errorf("its answer is not understood: %s", lastLine(out))
	}
	var present []string
	for _, match := range printedName.FindAllStringSubmatch(ours[1], -1) {
		present = append(present, match[1])
	}
	return present, nil
}

// Names go into an Erlang program: nothing that would need quoting passes.
var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func erlangList(names []string) (string, error) {
	items := make([]string, len(names))
	for i, name := range names {
		if !plainName.MatchString(name) {
			return "", fmt.Errorf("the virtual host's name %q is not plain letters, digits, points, dashes and underscores", name)
		}
		items[i] = `<<"` + name + `">>`
	}
	return "[" + strings.Join(items, ", ") + "]", nil
}

// lastLine is the line of a program's output that most likely says what is wrong.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
