package footprint

// Held is the size of the ballast.
func Held() int { return len(ballast) }
