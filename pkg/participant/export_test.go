package participant

// Handle is the work on one batch, without the loop around it.
var Handle = (*Participant).handle
