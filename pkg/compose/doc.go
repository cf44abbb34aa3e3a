// Package compose answers a read whose parts belong to several services: API composition.
//
// A service declares once which parts it can ask for, and from where. A request names those
// that it wants; they are asked side by side, under one deadline:
//
//	var parts = compose.Sources[Order]{
//		"shipment": func(ctx context.Context, o Order) (any, error) {
//			return client.Get(ctx, "http://shipping/api/orders/"+o.ID.String())
//		},
//		"customer": func(ctx context.Context, o Order) (any, error) { return loadCustomer(ctx, db, o.CustomerID) },
//	}
//
//	answer, err := parts.Ask(ctx, 2*time.Second, order, names) // err: a name that is not known
//
// # What is promised
//
// [Sources.Ask] returns at the deadline at the latest, with each part that has come and, for
// each that has not, its name and why ([Missing]). A part that is missing takes no other with
// it. What the client is told holds no address and no error's text; those are in
// [Missing.Err], for the log.
//
// Everything is bounded: as many parts as there are sources, the deadline, the size of a part
// ([Client.MaxBytes]), the connections to one service. No redirect is followed.
//
// # What it gives up
//
// The parts are of slightly different moments: there is no snapshot over services. And the
// answer is as available as the parts that the caller cannot do without.
package compose
