package participant

// Handle is the work on one batch, without the loop around it.
var Handle = (*Participant).handle

// ForgetAll is one walk over the old rows of the barrier.
var ForgetAll = (*Participant).forgetAll
