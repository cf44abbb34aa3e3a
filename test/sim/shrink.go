package sim

// shrinker looks for the simplest decisions that still break the invariant.
type shrinker struct {
	player    player
	invariant Invariant
	best      []byte
	left      int // schedules that may be tried
}

// breaks plays the script and keeps it when it breaks the same invariant.
func (s *shrinker) breaks(script []byte) bool {
	s.left--
	s.player.draws().scripted(script)
	v := s.player.play()
	if v == nil || v.Invariant != s.invariant {
		return false
	}
	s.best = script
	return true
}

func (s *shrinker) goesOn() bool { return s.left > 0 }

// shrink leaves decisions out and makes them smaller, as long as either helps.
func (s *shrinker) shrink() {
	s.left = s.player.worth()
	for before := -1; before != weight(s.best) && s.goesOn(); {
		before = weight(s.best)
		for size := len(s.best); size > 0; size /= 2 {
			s.leaveOut(size)
			s.clearAll(size)
		}
		s.lower()
	}
}

// weight is what shrinking lowers: the length first, and then the decisions.
func weight(script []byte) (sum int) {
	for _, b := range script {
		sum += 256 + int(b)
	}
	return sum
}

func (s *shrinker) leaveOut(size int) {
	for at := len(s.best) - size; at >= 0 && s.goesOn(); at -= size {
		if at+size > len(s.best) {
			continue
		}
		s.breaks(append(append(make([]byte, 0, len(s.best)), s.best[:at]...), s.best[at+size:]...))
	}
}

func (s *shrinker) clearAll(size int) {
	for at := 0; at+size <= len(s.best) && s.goesOn(); at += size {
		script := append([]byte(nil), s.best...)
		clear(script[at : at+size])
		if weight(script) < weight(s.best) {
			s.breaks(script)
		}
	}
}

func (s *shrinker) lower() {
	for at := range s.best {
		for _, less := range []byte{s.best[at] / 2, s.best[at] - 1} {
			if at >= len(s.best) || s.best[at] == 0 || less >= s.best[at] || !s.goesOn() {
				continue
			}
			script := append([]byte(nil), s.best...)
			script[at] = less
			s.breaks(script)
		}
	}
}
