package chain

import "fmt"

func shapeTransfer(b *Body, _ Params) error {
	if b.Transfer.Amount == 0 {
		return fmt.Errorf("%w: transfer of nothing", ErrAmount)
	}
	if b.Transfer.To == b.From {
		return fmt.Errorf("%w: transfer to oneself", ErrTx)
	}
	if err := b.Transfer.To.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrTx, err)
	}
	return nil
}

func checkTransfer(s *State, b *Body) error {
	if least := s.genesis.Params.MinBalance; b.Transfer.Amount < least && !s.exists(b.Transfer.To) {
		return fmt.Errorf("%w: a new account takes at least %s, not %s", ErrAmount, least, b.Transfer.Amount)
	}
	return nil
}

func applyTransfer(s *State, b *Body) {
	s.debit(b.From, b.Transfer.Amount)
	s.credit(b.Transfer.To, b.Transfer.Amount)
}
