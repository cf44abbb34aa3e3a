package participant

// Handle is the work on one batch, without the loop around it.
var Handle = (*Participant).handle

// Rights are what a participant's role needs, beside the inbox's.
var Rights = rights
