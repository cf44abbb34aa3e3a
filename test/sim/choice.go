package sim

import "math/rand/v2"

// choices are the decisions of one schedule: drawn from a seed, or given. After the
// end of a given list every decision is the harmless one.
type choices struct {
	source    rand.PCG
	word      uint64 // drawn and not given out yet
	left      int
	given     bool
	script    []byte
	recording bool
	taken     []byte
}

// seeded makes the decisions those of a seed.
func (c *choices) seeded(seed uint64) {
	c.source.Seed(seed, seed^0x9e3779b97f4a7c15)
	c.left, c.given, c.script, c.taken = 0, false, nil, c.taken[:0]
}

// scripted makes the decisions a given list.
func (c *choices) scripted(script []byte) {
	c.given, c.script, c.taken = true, script, c.taken[:0]
}

func (c *choices) next() (b byte) {
	switch {
	case !c.given:
		if c.left == 0 {
			c.word, c.left = c.source.Uint64(), 8
		}
		b = byte(c.word)
		c.word >>= 8
		c.left--
	case len(c.script) > 0:
		b, c.script = c.script[0], c.script[1:]
	}
	if c.recording {
		c.taken = append(c.taken, b)
	}
	return b
}

// below draws a number from 0 to n-1.
func (c *choices) below(n int) int { return int(c.next()) % n }

// odds are how often something happens, in 1/256.
type odds uint8

// happens draws whether it does.
func (c *choices) happens(o odds) bool { return int(c.next())+int(o) > 255 }
