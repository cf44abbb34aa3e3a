package blame

import "time"

const (
	// FirstPause is the time until a message that was set aside is tried again. Each pause
	// is twice the one before, up to LongestPause.
	FirstPause   = time.Minute
	LongestPause = time.Hour
	// Lifetime is for how long a message is tried again by itself.
	Lifetime = 24 * time.Hour
)

// NextTry is of a message that has just been set aside.
type NextTry struct {
	// Dead: it is not tried again by itself.
	Dead bool
	// Pause is the time until its next try, where it is not dead.
	Pause time.Duration
}

// Plan says when a message that was set aside is tried again. It is hopeless where no try can
// do better; tries is how often it was tried again so far, and age the time since it was set
// aside first, by the clock of the database. Where that clock was set back, the pauses so far
// count: they add up to the Lifetime, too.
func Plan(hopeless bool, tries int, age time.Duration) NextTry {
	if hopeless {
		return NextTry{Dead: true}
	}
	pause, waited := FirstPause, time.Duration(0)
	for ; tries > 0 && waited < Lifetime; tries-- {
		waited += pause
		pause = min(2*pause, LongestPause)
	}
	left := Lifetime - max(age, waited)
	if left <= 0 {
		return NextTry{Dead: true}
	}
	return NextTry{Pause: min(pause, left)}
}
