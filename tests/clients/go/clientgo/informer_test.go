package clientgo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// requests keeps what a client asked for, to show how it was served.
type requests struct {
	mutex sync.Mutex
	asked []string
}

func (r *requests) wrap(c *rest.Config) {
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(request)
			r.mutex.Lock()
			defer r.mutex.Unlock()
			code := 0
			if answer != nil {
				code = answer.StatusCode
			}
			r.asked = append(r.asked, fmt.Sprint(request.Method, " ", request.URL.RequestURI(), " ", code))
			return answer, err
		})
	})
}

func (r *requests) count(part string) (n int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, a := range r.asked {
		if strings.Contains(a, part) {
			n++
		}
	}
	return n
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSharedInformersAndListers(t *testing.T) {
	ns := namespace(t)
	seen := &requests{}
	with := config(t)
	seen.wrap(with)
	c := kubernetes.NewForConfigOrDie(with)
	factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(ns))
	maps := factory.Core().V1().ConfigMaps()
	must(t, maps.Informer().AddIndexers(cache.Indexers{"color": func(o any) ([]string, error) {
		return []string{o.(*corev1.ConfigMap).Data["color"]}, nil
	}}))
	var added, updated, deleted atomic.Int32
	_, err := maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { added.Add(1) },
		UpdateFunc: func(_, _ any) { updated.Add(1) },
		DeleteFunc: func(any) { deleted.Add(1) },
	})
	must(t, err)
	for i := range 3 {
		_, err := c.CoreV1().ConfigMaps(ns).Create(t.Context(), configMap(fmt.Sprint("before-", i), "color", "red"), metav1.CreateOptions{})
		must(t, err)
	}
	stop := make(chan struct{})
	factory.Start(stop)
	defer factory.Shutdown()
	defer close(stop)
	for kind, ok := range factory.WaitForCacheSync(stop) {
		equal(t, fmt.Sprint(kind, " synced"), ok, true)
	}
	// The cache was filled by the watch, without a LIST.
	equal(t, "lists", seen.count("/configmaps?limit"), 0)
	equal(t, "streamed lists", seen.count("sendInitialEvents=true"), 1)

	_, err = c.CoreV1().ConfigMaps(ns).Create(t.Context(), configMap("later", "color", "blue"), metav1.CreateOptions{})
	must(t, err)
	_, err = c.CoreV1().ConfigMaps(ns).Patch(t.Context(), "later", types.MergePatchType, []byte(`{"data":{"color":"red"}}`), metav1.PatchOptions{})
	must(t, err)
	must(t, c.CoreV1().ConfigMaps(ns).Delete(t.Context(), "before-0", metav1.DeleteOptions{}))
	eventually(t, "the informer has followed", func() bool {
		red, err := maps.Informer().GetIndexer().ByIndex("color", "red")
		return err == nil && len(red) == 3 && updated.Load() >= 1 && deleted.Load() == 1
	})
	listed, err := maps.Lister().ConfigMaps(ns).List(labels.Everything())
	must(t, err)
	// With kube-root-ca.crt, which the controller manager publishes.
	eventually(t, "adds", func() bool { return added.Load() == 5 })
	equal(t, "listed", len(listed), 4)
}

// Ten thousand objects reach an informer, and a second round through pages.
func TestInformerOfTenThousand(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	const objects, writers = 10000, 16
	forEach := func(what string, write func(name string) error) {
		start := time.Now()
		var next atomic.Int32
		var writing sync.WaitGroup
		for range writers {
			writing.Go(func() {
				for i := next.Add(1); i <= objects; i = next.Add(1) {
					if err := write(fmt.Sprintf("m-%05d", i)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writing.Wait()
		t.Logf("%s in %v", what, time.Since(start))
	}
	filler := strings.Repeat("x", 500)
	forEach("created", func(name string) error {
		m := configMap(name, "filler", filler)
		m.Labels = map[string]string{"bulk": "yes"}
		_, err := c.CoreV1().ConfigMaps(ns).Create(t.Context(), m, metav1.CreateOptions{})
		return err
	})
	for _, watchList := range []bool{true, false} {
		factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(ns),
			informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "bulk=yes" }))
		if !watchList {
			paged := cache.NewFilteredListWatchFromClient(c.CoreV1().RESTClient(), "configmaps", ns,
				func(o *metav1.ListOptions) { o.LabelSelector = "bulk=yes" })
			factory.InformerFor(&corev1.ConfigMap{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
				plain := &cache.ListWatch{ListFunc: paged.ListFunc, WatchFunc: paged.WatchFunc}
				return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(plain, noWatchList{}), &corev1.ConfigMap{}, 0, cache.Indexers{})
			})
		}
		informer := factory.Core().V1().ConfigMaps().Informer()
		stop := make(chan struct{})
		start := time.Now()
		factory.Start(stop)
		factory.WaitForCacheSync(stop)
		t.Logf("synced with WatchList %v in %v", watchList, time.Since(start))
		equal(t, "synced", len(informer.GetStore().ListKeys()), objects)
		close(stop)
		factory.Shutdown()
	}
	forEach("deleted", func(name string) error {
		return c.CoreV1().ConfigMaps(ns).Delete(t.Context(), name, metav1.DeleteOptions{})
	})
	left, err := c.CoreV1().ConfigMaps(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "bulk"})
	must(t, err)
	equal(t, "left", len(left.Items), 0)
}

// noWatchList makes a reflector list and watch as clients of old do.
type noWatchList struct{}

func (noWatchList) IsWatchListSemanticsUnSupported() bool { return true }

func TestMetadataInformer(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	gvr := corev1.SchemeGroupVersion.WithResource("configmaps")
	only := metadata.NewForConfigOrDie(config(t))
	factory := metadatainformer.NewFilteredSharedInformerFactory(only, 0, ns, nil)
	informer := factory.ForResource(gvr)
	informer.Informer()
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	m := configMap("m", "a", "1")
	m.Labels = map[string]string{"x": "y"}
	_, err := c.CoreV1().ConfigMaps(ns).Create(t.Context(), m, metav1.CreateOptions{})
	must(t, err)
	eventually(t, "the metadata arrives", func() bool {
		o, err := informer.Lister().ByNamespace(ns).Get("m")
		if err != nil {
			return false
		}
		return o.(*metav1.PartialObjectMetadata).Labels["x"] == "y"
	})
	got, err := only.Resource(gvr).Namespace(ns).Patch(t.Context(), "m", types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"z"}}}`), metav1.PatchOptions{})
	must(t, err)
	equal(t, "label", got.Labels["x"], "z")
	listed, err := only.Resource(gvr).Namespace(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "x=z"})
	must(t, err)
	equal(t, "listed", len(listed.Items), 1)
	must(t, only.Resource(gvr).Namespace(ns).Delete(t.Context(), "m", metav1.DeleteOptions{}))
}

func named(c kubernetes.Interface, ns, name string) *cache.ListWatch {
	only := func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=" + name }
	return cache.NewFilteredListWatchFromClient(c.CoreV1().RESTClient(), "configmaps", ns, only)
}

func TestUntilWithSync(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := c.CoreV1().ConfigMaps(ns).Create(ctx, configMap("m"), metav1.CreateOptions{})
	must(t, err)
	patched := false
	has := func(key string) watchtools.ConditionFunc {
		return func(e watch.Event) (bool, error) {
			m := e.Object.(*corev1.ConfigMap)
			if !patched {
				patched = true
				_, err := c.CoreV1().ConfigMaps(ns).Patch(ctx, "m", types.MergePatchType, []byte(`{"data":{"done":"1"}}`), metav1.PatchOptions{})
				return false, err
			}
			return m.Data[key] != "", nil
		}
	}
	event, err := watchtools.UntilWithSync(ctx, named(c, ns, "m"), &corev1.ConfigMap{}, nil, has("done"))
	must(t, err)
	equal(t, "event", event.Type, watch.Modified)
}

// A RetryWatcher starts again where the server ended the watch, and sees every change once.
func TestRetryWatcher(t *testing.T) {
	ns := namespace(t)
	seen := &requests{}
	with := config(t)
	seen.wrap(with)
	c := kubernetes.NewForConfigOrDie(with)
	made, err := c.CoreV1().ConfigMaps(ns).Create(t.Context(), configMap("m", "n", "0"), metav1.CreateOptions{})
	must(t, err)
	second := int64(1)
	lw := &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		o.FieldSelector, o.TimeoutSeconds = "metadata.name=m", &second
		return c.CoreV1().ConfigMaps(ns).Watch(ctx, o)
	}}
	w, err := watchtools.NewRetryWatcherWithContext(t.Context(), made.ResourceVersion, lw)
	must(t, err)
	defer w.Stop()
	for i := 1; i <= 5; i++ {
		body := fmt.Sprintf(`{"data":{"n":"%d"}}`, i)
		_, err := c.CoreV1().ConfigMaps(ns).Patch(t.Context(), "m", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		must(t, err)
		select {
		case e := <-w.ResultChan():
			m, ok := e.Object.(*corev1.ConfigMap)
			if !ok {
				t.Fatalf("got %v %+v", e.Type, e.Object)
			}
			equal(t, "seen", fmt.Sprint(e.Type, m.Data["n"]), fmt.Sprint(watch.Modified, i))
		case <-time.After(time.Minute):
			t.Fatal("no event")
		}
		asked := seen.count("watch=true")
		if i%2 == 0 {
			eventually(t, "the watch begins anew", func() bool { return seen.count("watch=true") > asked })
		}
	}
	// A version that was compacted away, or never was, ends in an answer and not in silence.
	old, err := c.CoreV1().ConfigMaps(ns).Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1", TimeoutSeconds: &second})
	if err != nil {
		refused(t, err, metav1.StatusReasonExpired, "too old resource version")
	} else {
		for e := range old.ResultChan() {
			if status, ok := e.Object.(*metav1.Status); ok {
				equal(t, "reason", status.Reason, metav1.StatusReasonExpired)
			}
		}
	}
}

func TestBookmarks(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	send, seconds := true, int64(10)
	w, err := c.CoreV1().ConfigMaps(ns).Watch(t.Context(), metav1.ListOptions{SendInitialEvents: &send, AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, TimeoutSeconds: &seconds})
	must(t, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		if e.Type == watch.Bookmark {
			equal(t, "end of the initial events", e.Object.(*corev1.ConfigMap).Annotations[metav1.InitialEventsAnnotationKey], "true")
			if e.Object.(*corev1.ConfigMap).ResourceVersion == "" {
				t.Error("the bookmark has no resourceVersion")
			}
			return
		}
		equal(t, "event", e.Type, watch.Added)
	}
	t.Error("no bookmark")
}
