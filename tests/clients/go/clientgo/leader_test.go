package clientgo

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Of two candidates one leads; when it lets go, the other takes over.
func TestLeaderElection(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	leads := make(chan string, 4)
	candidate := func(id string) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		lock := &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: ns, Name: "lead"}, Client: c.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: id}}
		go leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- id }, OnStoppedLeading: func() {}},
		})
		return cancel
	}
	leader := func() string {
		t.Helper()
		select {
		case id := <-leads:
			return id
		case <-time.After(time.Minute):
			t.Fatal("nobody leads")
			return ""
		}
	}
	stopOne := candidate("one")
	equal(t, "leader", leader(), "one")
	stopTwo := candidate("two")
	stopOne()
	equal(t, "leader", leader(), "two")
	lease, err := c.CoordinationV1().Leases(ns).Get(t.Context(), "lead", metav1.GetOptions{})
	must(t, err)
	equal(t, "holder", *lease.Spec.HolderIdentity, "two")
	equal(t, "transitions", *lease.Spec.LeaseTransitions, 1)
	stopTwo()
	eventually(t, "the lease is let go", func() bool {
		lease, err := c.CoordinationV1().Leases(ns).Get(t.Context(), "lead", metav1.GetOptions{})
		return err == nil && *lease.Spec.HolderIdentity == ""
	})
}
