package clientgo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
	streamhttp "k8s.io/streaming/pkg/httpstream"
)

// runningPod runs script in busybox on a real node; without one the test is skipped.
func runningPod(t *testing.T, script string) (ns, name string) {
	t.Helper()
	image := os.Getenv("TEST_IMAGE")
	if image == "" {
		t.Skip("no node")
	}
	ns = namespace(t)
	c := client(t)
	grace := int64(0)
	_, err := c.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: &grace,
		Containers:                    []corev1.Container{{Name: "c", Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", script}, Stdin: true}}}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() { c.CoreV1().Pods(ns).Delete(context.Background(), "p", metav1.DeleteOptions{}) })
	eventually(t, "the pod is ready", func() bool {
		p, err := c.CoreV1().Pods(ns).Get(t.Context(), "p", metav1.GetOptions{})
		if err != nil {
			return false
		}
		for _, s := range p.Status.Conditions {
			if s.Type == corev1.PodReady && s.Status == corev1.ConditionTrue {
				return true
			}
		}
		return false
	})
	return ns, "p"
}

func subresource(t *testing.T, ns, name, what string) *rest.Request {
	return client(t).CoreV1().RESTClient().Post().Namespace(ns).Resource("pods").Name(name).SubResource(what)
}

func TestExec(t *testing.T) {
	ns, name := runningPod(t, "while true; do sleep 1; done")
	executors := map[string]func(*rest.Request) (remotecommand.Executor, error){
		"websocket": func(r *rest.Request) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutor(config(t), http.MethodGet, r.URL().String())
		},
		"spdy": func(r *rest.Request) (remotecommand.Executor, error) {
			return remotecommand.NewSPDYExecutor(config(t), http.MethodPost, r.URL())
		},
		"fallback": func(r *rest.Request) (remotecommand.Executor, error) {
			first, err := remotecommand.NewWebSocketExecutorForProtocols(config(t), http.MethodGet, r.URL().String(), "no.such.protocol")
			if err != nil {
				return nil, err
			}
			second, err := remotecommand.NewSPDYExecutor(config(t), http.MethodPost, r.URL())
			if err != nil {
				return nil, err
			}
			return remotecommand.NewFallbackExecutor(first, second, streamhttp.IsUpgradeFailure)
		},
	}
	for kind, executor := range executors {
		t.Run(kind, func(t *testing.T) {
			run := func(stdin string, command ...string) (string, string, error) {
				t.Helper()
				options := &corev1.PodExecOptions{Command: command, Stdin: stdin != "", Stdout: true, Stderr: true}
				e, err := executor(subresource(t, ns, name, "exec").VersionedParams(options, scheme.ParameterCodec))
				must(t, err)
				var out, errors bytes.Buffer
				streams := remotecommand.StreamOptions{Stdout: &out, Stderr: &errors}
				if stdin != "" {
					streams.Stdin = strings.NewReader(stdin)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err = e.StreamWithContext(ctx, streams)
				return out.String(), errors.String(), err
			}
			out, errs, err := run("", "/bin/sh", "-c", "echo to-out; echo to-err >&2")
			must(t, err)
			equal(t, "streams", out+errs, "to-out\nto-err\n")
			_, _, err = run("", "/bin/sh", "-c", "exit 42")
			var code utilexec.CodeExitError
			if !errors.As(err, &code) || code.Code != 42 {
				t.Errorf("exit 42 came as %v", err)
			}
			// cat ends when its input does, so the end of stdin must arrive.
			big := strings.Repeat("0123456789abcdef", 1<<14)
			out, _, err = run(big, "/bin/cat")
			must(t, err)
			equal(t, "echoed bytes", len(out), len(big))
			_, _, err = run("", "/no/such/program")
			if err == nil {
				t.Error("a missing program ran")
			}
		})
	}
}

func TestPortForward(t *testing.T) {
	ns, name := runningPod(t, "mkdir /tmp/w; echo forwarded > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w")
	dialers := map[string]func() httpstream.Dialer{
		"websocket": func() httpstream.Dialer {
			d, err := portforward.NewSPDYOverWebsocketDialer(subresource(t, ns, name, "portforward").URL(), config(t))
			must(t, err)
			return d
		},
		"spdy": func() httpstream.Dialer {
			transport, upgrader, err := spdy.RoundTripperFor(config(t))
			must(t, err)
			return spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, subresource(t, ns, name, "portforward").URL())
		},
	}
	for kind, dialer := range dialers {
		t.Run(kind, func(t *testing.T) {
			stop, ready := make(chan struct{}), make(chan struct{})
			forwarder, err := portforward.NewOnAddresses(dialer(), []string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
			must(t, err)
			ended := make(chan error, 1)
			go func() { ended <- forwarder.ForwardPorts() }()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatal(err)
			}
			ports, err := forwarder.GetPorts()
			must(t, err)
			for range 3 {
				answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
				must(t, err)
				text, err := io.ReadAll(answer.Body)
				must(t, err)
				answer.Body.Close()
				equal(t, "answer", string(text), "forwarded\n")
			}
			close(stop)
			must(t, <-ended)
		})
	}
}

func TestLogsAndAttach(t *testing.T) {
	ns, name := runningPod(t, "echo first; echo second; while read x; do echo got $x; [ $x = end ] && exit 3; done")
	c := client(t)
	one := int64(1)
	// Ready may come before the second line is written.
	eventually(t, "the tail", func() bool {
		text, err := c.CoreV1().Pods(ns).GetLogs(name, &corev1.PodLogOptions{TailLines: &one}).DoRaw(t.Context())
		return err == nil && string(text) == "second\n"
	})
	stream, err := c.CoreV1().Pods(ns).GetLogs(name, &corev1.PodLogOptions{Follow: true, Timestamps: true}).Stream(t.Context())
	must(t, err)
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the log ended: %v", lines.Err())
		}
		stamp, line, _ := strings.Cut(lines.Text(), " ")
		if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil {
			t.Error(err)
		}
		return line
	}
	equal(t, "line", next(), "first")
	equal(t, "line", next(), "second")
	attach := subresource(t, ns, name, "attach").VersionedParams(&corev1.PodAttachOptions{Stdin: true, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	e, err := remotecommand.NewWebSocketExecutor(config(t), http.MethodGet, attach.URL().String())
	must(t, err)
	input, typing := io.Pipe()
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- e.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: input, Stdout: &out, Stderr: io.Discard})
	}()
	fmt.Fprintln(typing, "hello")
	equal(t, "line", next(), "got hello")
	fmt.Fprintln(typing, "end")
	equal(t, "line", next(), "got end")
	if lines.Scan() {
		// The container is started anew; its lines are not this log's.
		t.Errorf("the log went on: %s", lines.Text())
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("attach did not end with the container")
	}
	if !strings.Contains(out.String(), "got hello") {
		t.Errorf("attached output: %q", out.String())
	}
}
