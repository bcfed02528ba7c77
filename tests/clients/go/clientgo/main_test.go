// Package clientgo runs an unmodified client-go against a cluster: KUBECONFIG names it, and TEST_IMAGE an image with a
// busybox where the cluster has a node that can run it.
package clientgo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// config is a fresh copy, so that each test may change it.
func config(t testing.TB) *rest.Config {
	t.Helper()
	c, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(t, err)
	c.QPS, c.Burst = -1, 0
	return c
}

func client(t testing.TB) kubernetes.Interface {
	t.Helper()
	return kubernetes.NewForConfigOrDie(config(t))
}

// namespace is one of the test's own with its service account ready; it goes when the test ends.
func namespace(t testing.TB) string {
	t.Helper()
	c := client(t)
	made, err := c.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "go-"}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		c.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{})
	})
	eventually(t, "the default service account", func() bool {
		_, err := c.CoreV1().ServiceAccounts(made.Name).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	return made.Name
}

func configMap(name string, data ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{}}
	for i := 0; i+1 < len(data); i += 2 {
		m.Data[data[i]] = data[i+1]
	}
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// refused wants an error of the API with this reason and these words.
func refused(t testing.TB, err error, reason metav1.StatusReason, words string) {
	t.Helper()
	if apierrors.ReasonForError(err) != reason || !strings.Contains(fmt.Sprint(err), words) {
		t.Errorf("got %q (%v), not %v with %q", err, apierrors.ReasonForError(err), reason, words)
	}
}

func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 60*time.Second, true,
		func(context.Context) (bool, error) { return check(), nil })
	if err != nil {
		t.Fatalf("%s: not within a minute", what)
	}
}
