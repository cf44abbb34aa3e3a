package sagayaml

// nearest is the known key that was most likely meant; empty when none is near. One
// letter in three may differ.
func nearest(key string, known []string) string {
	meant, least := "", len(key)/3+1
	if len(key) > maxKey {
		return ""
	}
	for _, candidate := range known {
		if d := distance(key, candidate); d < least || (d == least && meant == "") {
			meant, least = candidate, d
		}
	}
	return meant
}

// maxKey bounds the keys for which a likely one is sought.
const maxKey = 40

// distance counts the bytes to insert, remove or replace (Wagner and Fischer, "The
// string-to-string correction problem", 1974).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
