package engine

import "github.com/zennet/zennet/provider/protocol"

// said keeps what a running attempt last said, for those who watch.
func (s *slot) said(m *protocol.Said) {
	w := s.works[m.ID]
	if w == nil || w.stage != workSent {
		return
	}
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if m.Text == "" {
		delete(s.words, w.at.Task)
	} else {
		s.words[w.at.Task] = m.Text
	}
}

// silent forgets what an attempt said: it runs no more.
func (s *slot) silent(task int) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	delete(s.words, task)
}

// says is what a task last said in this slot.
func (s *slot) says(task int) string {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	return s.words[task]
}
