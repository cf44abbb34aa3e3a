// Package listings has sagas as they are often seen in articles, each beside how it reads
// here; docs/patterns/listings.md tells what is wrong with them. All of it runs:
//
//	cd examples && go test -v ./listings
package listings
