package services

import (
	"context"
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

// Names go into an Erlang program: nothing that would need quoting passes.
var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

var printedName = regexp.MustCompile(`<<"(` + Prefix + `[A-Za-z0-9._-]+)">>`)

func (c ctl) change(ctx context.Context, user string, add, remove []string) ([]string, error) {
	if len(add) > 0 && !plainName.MatchString(user) {
		return nil, fmt.Errorf("the user's name %q is not plain letters, digits, points, dashes and underscores", user)
	}
	removed, err := erlangList(remove)
	if err != nil {
		return nil, err
	}
	added, err := erlangList(add)
	if err != nil {
		return nil, err
	}
	program := fmt.Sprintf(`
		Present = rabbit_vhost:list_names(),
		[rabbit_vhost:delete(V, <<"saga">>) || V <- %s, lists:member(V, Present)],
		[begin
			lists:member(V, Present) orelse rabbit_vhost:add(V, <<"saga">>),
			ok = rabbit_auth_backend_internal:set_permissions(<<"%s">>, V, <<".*">>, <<".*">>, <<".*">>, <<"saga">>)
		end || V <- %s],
		rabbit_vhost:list_names().`, removed, user, added)
	out, err := c.command(ctx, "eval", program).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(out))
	}
	var present []string
	for _, match := range printedName.FindAllSubmatch(out, -1) {
		present = append(present, string(match[1]))
	}
	return present, nil
}

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
