package hdfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// Two NameNodes under one name: calls find the active one, follow it when the
// other takes over, and do not wait for a frozen one for ever.
func TestHA(t *testing.T) {
	t.Parallel()
	c := hdfstest.Start(t, hdfstest.Options{HA: true, DataNodes: 1})
	s, folder := open(t, c, func(c *Config) {
		c.Authority, c.Timeout, c.Patience = hdfstest.Nameservice, 10*time.Second, 4*time.Minute
	})
	data := filestest.Random(3<<19, 14)
	filestest.Put(t, s, folder+"/f", data)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()

	stop := make(chan struct{})
	var work sync.WaitGroup
	for w := range 2 {
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := everything(ctx, s, folder, fmt.Sprintf("%d-%d", w, n), data); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	err := c.Failover(0, 1)
	close(stop)
	work.Wait()
	filestest.Must(t, err)

	// The standby is frozen: a client that begins with it goes on to the other.
	c.StopNameNode(0)
	fresh := another(t, c, func(c *Config) { c.Authority, c.Timeout = hdfstest.Nameservice, 3*time.Second })
	// Reads begin with a call of their own, not by way of Stat.
	got := filestest.Read(t, fresh, folder+"/f", 0)
	c.ContinueNameNode(0)
	if !bytes.Equal(got, data) {
		t.Error("wrong data")
	}
	// Nobody is active.
	_, err = c.Java(hdfstest.HA, "-transitionToStandby", "nn2")
	filestest.Must(t, err)
	quick := another(t, c, func(c *Config) { c.Patience = time.Second })
	if _, err := quick.Stat(ctx, "/"); !errors.Is(err, files.ErrUnavailable) {
		t.Errorf("nobody is active: %v", err)
	}
}
