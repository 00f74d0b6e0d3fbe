package contract

import (
	"strings"
	"testing"

	"github.com/zennet/zennet/provider/protocol"
)

// TestReasonsFit: whatever a reason holds, the other side's Validate takes it.
func TestReasonsFit(t *testing.T) {
	for _, reason := range []string{"", "short", strings.Repeat("é", protocol.MaxText), "bad \xff byte"} {
		for _, m := range []protocol.Message{&protocol.Reject{Reason: reason}, &protocol.Bye{Reason: reason},
			&protocol.Drop{Reason: reason}, &protocol.State{Frozen: true, Reason: reason}} {
			frame, err := protocol.AppendFrame(nil, said(m))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := protocol.ReadMessage(strings.NewReader(string(frame))); err != nil {
				t.Errorf("%T with a reason of %d bytes: %v", m, len(reason), err)
			}
		}
	}
}
