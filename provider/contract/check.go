package contract

// crossCheck holds the publisher's own readings (5.4).
type crossCheck struct{}
