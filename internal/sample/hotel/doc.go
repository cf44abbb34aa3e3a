// Package hotel is the sample's participant that holds the rooms: the saga step
// room-booking. REQUEST books the room for the nights of the stay or refuses,
// CANCEL releases what this saga booked and nothing else. In a saga of mode TCC, CONFIRM
// keeps the room as it is.
//
// That two stays cannot overlap is an exclusion constraint of the database, and
// that a command takes effect at most once is the barrier of the participant.
// The code here only puts a no into words, and shows a saga's booking over HTTP.
package hotel
