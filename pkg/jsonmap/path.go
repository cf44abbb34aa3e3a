package jsonmap

import (
	"strconv"
	"strings"
)

// path is the way from the root to a value: one segment a level.
type path []segment

// segment is a name in an object, or a place in an array.
type segment struct {
	name  string
	index int // -1 in an object
}

func (p path) member(name string) path { return append(p, segment{name: name, index: -1}) }
func (p path) element(index int) path  { return append(p, segment{index: index}) }

var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is the path as RFC 6901 writes it. Bytes of a name that are not UTF-8
// become U+FFFD, so that the pointer itself is always text.
func (p path) pointer() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteByte('/')
		if s.index >= 0 {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(escapeToken.Replace(strings.ToValidUTF8(s.name, "\uFFFD")))
		}
	}
	return b.String()
}
