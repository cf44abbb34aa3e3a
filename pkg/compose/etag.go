package compose

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// ETag is a strong validator (RFC 9110, section 8.8.3) of a body: other bytes, another tag.
// Give it for a whole answer only. A tag for one that lacks a part would let a client keep
// it after the part is back.
func ETag(body []byte) string {
	const enough = 18 // bytes of the hash: collisions need 2^72 tries
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:enough]) + `"`
}

// NotModified says whether a client that sends this If-None-Match has what the tag stands for,
// so that the answer is 304. The tag is "" where there is none. As RFC 9110 (section
// 13.1.2) asks, weak tags match strong ones of the same text: a proxy may have made ours weak.
func NotModified(ifNoneMatch, tag string) bool {
	if tag == "" {
		return false
	}
	rest := strings.TrimSpace(ifNoneMatch)
	if rest == "*" {
		return true
	}
	for rest != "" {
		// A tag's own text may hold commas.
		rest = strings.TrimPrefix(strings.TrimLeft(rest, " \t,"), "W/")
		if !strings.HasPrefix(rest, `"`) {
			return false // no list of tags
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return false
		}
		if rest[:end+2] == tag {
			return true
		}
		rest = rest[end+2:]
	}
	return false
}
