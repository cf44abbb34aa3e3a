// Package api is the HTTP interface of the reservation service:
// POST /api/v1/reservations and GET /api/v1/reservations/{id}, described at
// /openapi.json. No answer and no log line repeats the body of a request.
package api
