package compose_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"go.example/saga/pkg/compose"
)

// An order whose shipment another service knows, and whose reviews a third one, which is away.
func Example() {
	shipping := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"carrier": "ACME"}`)
	}))
	defer shipping.Close()
	const reviews = "http://127.0.0.1:1"

	var client compose.Client
	parts := compose.Sources[string]{
		"shipment": func(ctx context.Context, order string) (any, error) {
			return client.Get(ctx, shipping.URL+"/orders/"+order+"/shipment")
		},
		"reviews": func(ctx context.Context, order string) (any, error) {
			return client.Get(ctx, reviews+"/orders/"+order+"/reviews")
		},
	}
	answer, err := parts.Ask(context.Background(), 10*time.Second, "o-1", []string{"shipment", "reviews"})
	if err != nil {
		fmt.Println(err) // a name that is not known: 422
		return
	}
	text, _ := json.Marshal(answer)
	fmt.Println(string(text))
	_, err = parts.Ask(context.Background(), 10*time.Second, "o-1", []string{"price"})
	fmt.Println(err)
	// Output:
	// {"parts":{"shipment":{"carrier":"ACME"}},"missing":[{"part":"reviews","why":"unreachable"}]}
	// there is no such part: ask for some of reviews, shipment
}
