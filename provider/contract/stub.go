package contract

func (m Provider) step(s ProviderState, e Event) (ProviderState, []Effect, error) {
	return s, nil, ErrEvent
}
func (m Provider) restore(r ProviderRecord, alive bool, now int64) (ProviderState, []Effect, error) {
	return ProviderState{}, nil, ErrEvent
}
func (m Provider) deadline(s ProviderState) int64 { return 0 }
func (m Provider) check(s ProviderState) error    { return nil }
func (m Publisher) step(s PublisherState, e Event) (PublisherState, []Effect, error) {
	return s, nil, ErrEvent
}
func (m Publisher) restore(r PublisherRecord, now int64) (PublisherState, []Effect, error) {
	return PublisherState{}, nil, ErrEvent
}
func (m Publisher) deadline(s PublisherState) int64 { return 0 }
func (m Publisher) audit(s PublisherState) error    { return nil }
