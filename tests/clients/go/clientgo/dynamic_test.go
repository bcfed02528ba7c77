package clientgo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/disk"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/util/retry"
)

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

func gadgets() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "gadgets.clients.example.com"},
		"spec": map[string]any{
			"group": "clients.example.com", "scope": "Namespaced",
			"names": map[string]any{"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "shortNames": []any{"gd"}, "categories": []any{"all"}},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"selectableFields": []any{map[string]any{"jsonPath": ".spec.color"}},
				"subresources": map[string]any{"status": map[string]any{},
					"scale": map[string]any{"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{
					"spec": map[string]any{"type": "object", "properties": map[string]any{
						"replicas": map[string]any{"type": "integer", "minimum": int64(0), "default": int64(1)},
						"color":    map[string]any{"type": "string"},
						"parts": map[string]any{"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": []any{"name"},
							"items": map[string]any{"type": "object", "required": []any{"name"}, "properties": map[string]any{
								"name": map[string]any{"type": "string"}, "size": map[string]any{"type": "integer"}}}},
					}, "x-kubernetes-validations": []any{map[string]any{"rule": "!has(self.color) || self.color != 'beige'", "message": "not beige"}}},
					"status": map[string]any{"type": "object", "properties": map[string]any{"replicas": map[string]any{"type": "integer"}}},
				}}},
			}},
		},
	}}
}

func gadget(name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "clients.example.com/v1", "kind": "Gadget",
		"metadata": map[string]any{"name": name}, "spec": spec}}
}

// A custom resource through every client that knows nothing of it at compile time.
func TestCustomResources(t *testing.T) {
	ns := namespace(t)
	d := dynamic.NewForConfigOrDie(config(t))
	_, err := d.Resource(crds).Create(t.Context(), gadgets(), metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		d.Resource(crds).Delete(context.Background(), gadgets().GetName(), metav1.DeleteOptions{})
	})
	eventually(t, "the definition is established", func() bool {
		o, err := d.Resource(crds).Get(t.Context(), gadgets().GetName(), metav1.GetOptions{})
		if err != nil {
			return false
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(c any) bool {
			m := c.(map[string]any)
			return m["type"] == "Established" && m["status"] == "True"
		})
	})
	cached := memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(config(t)))
	mapper := restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(cached), cached, nil)
	gvr, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: "gd"})
	must(t, err)
	equal(t, "short name", gvr.String(), "clients.example.com/v1, Resource=gadgets")
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "clients.example.com", Kind: "Gadget"})
	must(t, err)
	equal(t, "scope", mapping.Scope.Name(), meta.RESTScopeNameNamespace)
	all := d.Resource(gvr).Namespace(ns)

	informers := dynamicinformer.NewFilteredDynamicSharedInformerFactory(d, 0, ns, nil)
	informer := informers.ForResource(gvr)
	informer.Informer()
	informers.Start(t.Context().Done())
	informers.WaitForCacheSync(t.Context().Done())

	made, err := all.Create(t.Context(), gadget("g", map[string]any{"color": "red", "odd": "pruned"}), metav1.CreateOptions{})
	must(t, err)
	equal(t, "spec", fmt.Sprint(made.Object["spec"]), "map[color:red replicas:1]")
	_, err = all.Create(t.Context(), gadget("h", map[string]any{"color": "beige"}), metav1.CreateOptions{})
	refused(t, err, metav1.StatusReasonInvalid, `Gadget.clients.example.com "h" is invalid: spec: Invalid value: not beige`)
	eventually(t, "the informer has it", func() bool {
		_, err := informer.Lister().ByNamespace(ns).Get("g")
		return err == nil
	})
	red, err := all.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.color=red"})
	must(t, err)
	equal(t, "red ones", len(red.Items), 1)

	apply := func(manager string, force bool, parts ...any) (*unstructured.Unstructured, error) {
		return all.Apply(t.Context(), "g", gadget("g", map[string]any{"parts": parts}), metav1.ApplyOptions{FieldManager: manager, Force: force})
	}
	part := func(name string, size int64) map[string]any { return map[string]any{"name": name, "size": size} }
	_, err = apply("one", false, part("a", 1))
	must(t, err)
	_, err = apply("two", false, part("a", 2))
	refused(t, err, metav1.StatusReasonConflict, `conflict with "one": .spec.parts[name="a"].size`)
	got, err := apply("two", true, part("a", 2), part("b", 3))
	must(t, err)
	equal(t, "parts", fmt.Sprint(got.Object["spec"].(map[string]any)["parts"]), "[map[name:a size:2] map[name:b size:3]]")

	got.Object["status"] = map[string]any{"replicas": int64(7)}
	got, err = all.UpdateStatus(t.Context(), got, metav1.UpdateOptions{})
	must(t, err)
	generation := got.GetGeneration()
	scales, err := scale.NewForConfig(config(t), mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(cached))
	must(t, err)
	s, err := scales.Scales(ns).Get(t.Context(), gvr.GroupResource(), "g", metav1.GetOptions{})
	must(t, err)
	equal(t, "status.replicas", s.Status.Replicas, 7)
	s.Spec.Replicas = 5
	s, err = scales.Scales(ns).Update(t.Context(), gvr.GroupResource(), s, metav1.UpdateOptions{})
	must(t, err)
	equal(t, "spec.replicas", s.Spec.Replicas, 5)
	s, err = scales.Scales(ns).Patch(t.Context(), gvr, "g", types.MergePatchType, []byte(`{"spec":{"replicas":6}}`), metav1.PatchOptions{})
	must(t, err)
	got, err = all.Get(t.Context(), "g", metav1.GetOptions{})
	must(t, err)
	equal(t, "generation", got.GetGeneration(), generation+2)

	second := int64(30)
	w, err := all.Watch(t.Context(), metav1.ListOptions{ResourceVersion: got.GetResourceVersion(), TimeoutSeconds: &second})
	must(t, err)
	must(t, all.Delete(t.Context(), "g", metav1.DeleteOptions{}))
	e := <-w.ResultChan()
	equal(t, "event", e.Type, watch.Deleted)
	w.Stop()
}

func TestScaleClient(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	_, err := c.AppsV1().Deployments(ns).Create(t.Context(), deployment("d", 1), metav1.CreateOptions{})
	must(t, err)
	cached := memory.NewMemCacheClient(c.Discovery())
	scales, err := scale.NewForConfig(config(t), restmapper.NewDeferredDiscoveryRESTMapper(cached), dynamic.LegacyAPIPathResolverFunc,
		scale.NewDiscoveryScaleKindResolver(c.Discovery()))
	must(t, err)
	resource := appsv1.Resource("deployments")
	// The controller writes the status at the same time.
	must(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		s, err := scales.Scales(ns).Get(t.Context(), resource, "d", metav1.GetOptions{})
		if err != nil {
			return err
		}
		s.Spec.Replicas = 2
		s, err = scales.Scales(ns).Update(t.Context(), resource, s, metav1.UpdateOptions{})
		if err == nil {
			equal(t, "replicas", s.Spec.Replicas, 2)
		}
		return err
	}))
}

func TestDiscovery(t *testing.T) {
	seen := &requests{}
	with := config(t)
	seen.wrap(with)
	d := discovery.NewDiscoveryClientForConfigOrDie(with)
	groups, lists, err := d.ServerGroupsAndResources()
	must(t, err)
	// Aggregated: two requests say it all.
	equal(t, "requests", len(seen.asked), 2)
	names := []string{}
	for _, g := range groups {
		names = append(names, g.Name)
	}
	for _, want := range []string{"", "apps", "batch", "rbac.authorization.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io"} {
		if !slices.Contains(names, want) {
			t.Errorf("group %q is missing in %v", want, names)
		}
	}
	listed := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "create"}}, lists)
	gvrs, err := discovery.GroupVersionResources(listed)
	must(t, err)
	if _, ok := gvrs[appsv1.SchemeGroupVersion.WithResource("deployments")]; !ok || len(gvrs) < 50 {
		t.Errorf("%d resources: %v", len(gvrs), gvrs)
	}

	// And as clients of old: the same resources.
	d.UseLegacyDiscovery = true
	_, old, err := d.ServerGroupsAndResources()
	must(t, err)
	flat := func(lists []*metav1.APIResourceList) string {
		var all []string
		for _, l := range lists {
			for _, r := range l.APIResources {
				if strings.Contains(r.Name, "/") {
					r.SingularName = "" // only the aggregated form says one
				}
				all = append(all, fmt.Sprintln(l.GroupVersion, r.Name, r.Kind, r.Namespaced, r.SingularName, r.ShortNames, r.Categories, r.Verbs))
			}
		}
		slices.Sort(all)
		return strings.Join(all, "")
	}
	if a, b := flat(lists), flat(old); a != b {
		t.Errorf("aggregated discovery says\n%s\nand the groups' own pages\n%s", a, b)
	}
	preferred, err := discovery.ServerPreferredNamespacedResources(d)
	must(t, err)
	if len(preferred) < 10 {
		t.Errorf("preferred: %v", preferred)
	}
	one, err := d.ServerResourcesForGroupVersion("batch/v1")
	must(t, err)
	equal(t, "batch/v1", len(one.APIResources), 4)
	_, err = d.ServerResourcesForGroupVersion("none/v1")
	refused(t, err, metav1.StatusReasonNotFound, "the server could not find the requested resource")
}

// On disk the second client is answered from the cache, by ETag.
func TestCachedDiscovery(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		seen := &requests{}
		with := config(t)
		seen.wrap(with)
		c, err := disk.NewCachedDiscoveryClientForConfig(with, filepath.Join(dir, "discovery"), filepath.Join(dir, "http"), time.Hour)
		must(t, err)
		if round == 1 {
			c.Invalidate()
		}
		_, err = c.ServerGroups()
		must(t, err)
		if round == 1 {
			equal(t, "answers 304", seen.count(" 304"), 2)
		}
		schemas, err := c.OpenAPIV3().Paths()
		must(t, err)
		apps, err := schemas["apis/apps/v1"].Schema("application/json")
		must(t, err)
		if !strings.Contains(string(apps), `"io.k8s.api.apps.v1.Deployment"`) {
			t.Error("OpenAPI of apps/v1 knows no Deployment")
		}
		document, err := c.OpenAPISchema()
		must(t, err)
		if n := len(document.Definitions.AdditionalProperties); n < 500 {
			t.Errorf("OpenAPI v2 has %d definitions", n)
		}
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "http")); len(files) == 0 {
		t.Error("nothing was cached")
	}
}

// contentTypes are those of a client's requests and of their answers.
type contentTypes struct{ sent, got []string }

func (c *contentTypes) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if r.Body != nil {
			c.sent = append(c.sent, r.Header.Get("Content-Type"))
		}
		if answer != nil {
			c.got = append(c.got, answer.Header.Get("Content-Type"))
		}
		return answer, err
	})
}

func TestProtobuf(t *testing.T) {
	ns := namespace(t)
	with := config(t)
	with.ContentType = "application/vnd.kubernetes.protobuf"
	with.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	types_ := &contentTypes{}
	with.Wrap(types_.wrap)
	c := kubernetes.NewForConfigOrDie(with)
	made, err := c.AppsV1().Deployments(ns).Create(t.Context(), deployment("d", 2), metav1.CreateOptions{})
	must(t, err)
	second := int64(1)
	w, err := c.AppsV1().Deployments(ns).Watch(t.Context(), metav1.ListOptions{TimeoutSeconds: &second})
	must(t, err)
	e := <-w.ResultChan()
	equal(t, "watched", e.Object.(*appsv1.Deployment).Name, "d")
	w.Stop()
	made.Labels["x"] = "y"
	_, err = c.AppsV1().Deployments(ns).Patch(t.Context(), "d", types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`), metav1.PatchOptions{})
	must(t, err)
	_, err = c.AppsV1().Deployments(ns).Get(t.Context(), "none", metav1.GetOptions{})
	refused(t, err, metav1.StatusReasonNotFound, `deployments.apps "none" not found`)
	_, err = c.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	foreground := metav1.DeletePropagationForeground
	must(t, c.AppsV1().Deployments(ns).Delete(t.Context(), "d", metav1.DeleteOptions{PropagationPolicy: &foreground}))
	for _, got := range types_.got {
		if !strings.HasPrefix(got, "application/vnd.kubernetes.protobuf") {
			t.Errorf("answered in %s", got)
		}
	}
	equal(t, "sent", strings.Join(types_.sent, " "), "application/vnd.kubernetes.protobuf application/merge-patch+json application/vnd.kubernetes.protobuf")
}

// A client that may speak CBOR asks for it; a server without it is answered to in JSON.
func TestCborIsNegotiated(t *testing.T) {
	ns := namespace(t)
	with := config(t)
	with.AcceptContentTypes = "application/cbor,application/json"
	with.ContentType = "application/cbor"
	d := dynamic.NewForConfigOrDie(with)
	gvr := corev1.SchemeGroupVersion.WithResource("configmaps")
	body := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "m"}, "data": map[string]any{"a": "1"}}}
	var made *unstructured.Unstructured
	var err error
	// The first answer of 415 teaches the client to send JSON.
	for range 2 {
		made, err = d.Resource(gvr).Namespace(ns).Create(t.Context(), body, metav1.CreateOptions{})
		if err == nil {
			break
		}
		refused(t, err, metav1.StatusReasonUnsupportedMediaType, "the body of the request was in an unknown format")
	}
	must(t, err)
	equal(t, "data", fmt.Sprint(made.Object["data"]), "map[a:1]")
	applied, err := d.Resource(gvr).Namespace(ns).Apply(t.Context(), "m", body, metav1.ApplyOptions{FieldManager: "me"})
	must(t, err)
	equal(t, "managers", len(applied.GetManagedFields()), 2)
	listed, err := d.Resource(gvr).Namespace(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=m"})
	must(t, err)
	equal(t, "listed", len(listed.Items), 1)
}
