package desk

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatCameDuringASaveIsKept(t *testing.T) {
	t.Parallel()
	of := func(id int64, key string) *testEntry { return &testEntry{Message: Message{ID: id, Aggregate: key}} }
	var open testWritten
	open.Add(testWritten{Position: 2, PublishedID: 9, Passed: 2, Parked: []*testEntry{of(1, "b")}, Unparked: []*testEntry{of(7, "a")}})
	saving := open
	open.Add(testWritten{Position: 5, PublishedID: 5, Passed: 3, Parked: []*testEntry{of(4, "a")}, Unparked: []*testEntry{of(8, "b")}})
	require.Equal(t, 9, open.Size())
	require.Equal(t, []string{"a", "b"}, open.Touched())
	require.Equal(t, []string{"a", "b"}, saving.Touched())

	open.Settle(saving)
	require.Equal(t, testWritten{
		Position: 5, PublishedID: 9, Passed: 3, Parked: []*testEntry{of(4, "a")}, Unparked: []*testEntry{of(8, "b")},
	}, open)
	open.Settle(open)
	require.Zero(t, open.Size())
}
