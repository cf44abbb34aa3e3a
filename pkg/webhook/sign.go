package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const keyPrefix = "whsec_"

// NewKey draws a key of 32 bytes.
func NewKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return keyPrefix + base64.StdEncoding.EncodeToString(key)
}

// sign is the header webhook-signature: a signature of each key.
func sign(keys []string, id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(keys))
	for i, key := range keys {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, keyPrefix))
		if err != nil {
			return "", fmt.Errorf("the webhook's key %d is not base64", i+1)
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " "), nil
}
