package hotel

import (
	"encoding/json"
	"errors"
	"time"

	"go.example/saga/pkg/jsonmap"
)

// wish is the part of the saga's payload that concerns the hotel.
type wish struct {
	HotelID   int64  `json:"hotelId"`
	RoomID    int64  `json:"roomId"`
	StartDate string `json:"startDate"`
	EndDate   string `json:"endDate"`
}

// wishOf reads the payload. Its errors are for people and quote no values.
func wishOf(payload jsonmap.JSONMap) (wish, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return wish{}, errors.New("the payload is not JSON")
	}
	var w wish
	if err := json.Unmarshal(text, &w); err != nil {
		return wish{}, errors.New("hotelId and roomId have to be integers, startDate and endDate texts")
	}
	start, errStart := time.Parse(time.DateOnly, w.StartDate)
	end, errEnd := time.Parse(time.DateOnly, w.EndDate)
	switch {
	case errStart != nil || errEnd != nil || start.Year() < 1:
		return wish{}, errors.New("startDate and endDate have to be dates such as 2027-01-10")
	case !end.After(start):
		return wish{}, errors.New("endDate has to be after startDate")
	}
	return w, nil
}
