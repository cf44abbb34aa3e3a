package hotel

import (
	"errors"
	"time"

	"go.example/saga/pkg/jsonmap"
)

// wish is the part of the saga's payload that concerns the hotel.
type wish struct {
	hotelID, roomID int64
	start, end      time.Time
}

// wishOf reads the payload. Its errors are for people and quote no values.
func wishOf(payload jsonmap.JSONMap) (w wish, err error) {
	var hotel, room, from, to bool
	var start, end string
	w.hotelID, hotel = payload.GetInt64("/hotelId")
	w.roomID, room = payload.GetInt64("/roomId")
	start, from = payload.GetString("/startDate")
	end, to = payload.GetString("/endDate")
	if !hotel || !room || !from || !to {
		return wish{}, errors.New("hotelId and roomId have to be integers, startDate and endDate texts")
	}
	var errStart, errEnd error
	w.start, errStart = time.Parse(time.DateOnly, start)
	w.end, errEnd = time.Parse(time.DateOnly, end)
	switch {
	case errStart != nil || errEnd != nil || w.start.Year() < 1:
		return wish{}, errors.New("startDate and endDate have to be dates such as 2027-01-10")
	case !w.end.After(w.start):
		return wish{}, errors.New("endDate has to be after startDate")
	}
	return w, nil
}
