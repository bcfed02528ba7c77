package operator

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const finalizer = group + "/moored"

// captain keeps a ConfigMap for each boat and tells of it in the status.
type captain struct {
	client.Client
}

func (c *captain) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var boat Boat
	if err := c.Get(ctx, request.NamespacedName, &boat); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !boat.DeletionTimestamp.IsZero() {
		gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: boat.Namespace, Name: boat.Name + "-scrapped"}}
		if err := c.Create(ctx, gone); client.IgnoreAlreadyExists(err) != nil {
			return ctrl.Result{}, err
		}
		controllerutil.RemoveFinalizer(&boat, finalizer)
		return ctrl.Result{}, c.Update(ctx, &boat)
	}
	if controllerutil.AddFinalizer(&boat, finalizer) {
		if err := c.Update(ctx, &boat); err != nil {
			return ctrl.Result{}, err
		}
	}
	papers := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: boat.Namespace, Name: boat.Name}}
	_, err := controllerutil.CreateOrUpdate(ctx, c.Client, papers, func() error {
		papers.Labels = map[string]string{"boat": "papers"}
		papers.Data = map[string]string{"crew": fmt.Sprint(boat.Spec.Crew)}
		return controllerutil.SetControllerReference(&boat, papers, c.Scheme())
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	status := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
		"log": fmt.Sprintf("%d on board", boat.Spec.Crew), "observedGeneration": boat.Generation}}}
	status.SetGroupVersionKind(v1.WithKind("Boat"))
	status.SetName(boat.Name)
	status.SetNamespace(boat.Namespace)
	return ctrl.Result{}, c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(status), client.FieldOwner("captain"), client.ForceOwnership)
}

type heard struct {
	mutex sync.Mutex
	texts []string
}

func (h *heard) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.texts = append(h.texts, text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) { return check(), nil })
	if err != nil {
		t.Fatalf("%s: not within a minute", what)
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// served writes the webhook server's certificate to a folder and returns it with its bundle.
func served(t *testing.T) (dir string, ca []byte) {
	dir = t.TempDir()
	ca, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "tls.crt"), ca, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600))
	return dir, ca
}

func install(t *testing.T, c client.Client, ns, url string, ca []byte) {
	crd := definition(url, ca)
	must(t, c.Create(t.Context(), crd))
	rules := []admissionv1.RuleWithOperations{{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{"boats"}}}}
	only := &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}}
	none := ptr.To(admissionv1.SideEffectClassNone)
	at := func(path string) admissionv1.WebhookClientConfig {
		return admissionv1.WebhookClientConfig{URL: ptr.To(url + path), CABundle: ca}
	}
	mutating := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "boats." + group},
		Webhooks: []admissionv1.MutatingWebhook{{Name: "mboat." + group, ClientConfig: at("/mutate-sailing-example-com-v1-boat"), Rules: rules,
			NamespaceSelector: only, SideEffects: none, AdmissionReviewVersions: []string{"v1"}}}}
	validating := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "boats." + group},
		Webhooks: []admissionv1.ValidatingWebhook{{Name: "vboat." + group, ClientConfig: at("/validate-sailing-example-com-v1-boat"), Rules: rules,
			NamespaceSelector: only, SideEffects: none, AdmissionReviewVersions: []string{"v1"}}}}
	must(t, c.Create(t.Context(), mutating))
	must(t, c.Create(t.Context(), validating))
	t.Cleanup(func() {
		for _, o := range []client.Object{mutating, validating, crd} {
			c.Delete(context.Background(), o)
		}
	})
	eventually(t, "the definition is established", func() bool {
		if c.Get(t.Context(), client.ObjectKeyFromObject(crd), crd) != nil {
			return false
		}
		for _, s := range crd.Status.Conditions {
			if s.Type == apiextensionsv1.Established && s.Status == apiextensionsv1.ConditionTrue {
				return true
			}
		}
		return false
	})
}

func TestManager(t *testing.T) {
	ctrl.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(t, err)
	warnings := &heard{}
	config.WarningHandlerWithContext = warnings
	s := runtime.NewScheme()
	must(t, scheme.AddToScheme(s))
	must(t, apiextensionsv1.AddToScheme(s))
	addToScheme(s)
	direct, err := client.New(config, client.Options{Scheme: s})
	must(t, err)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "operator-"}}
	must(t, direct.Create(t.Context(), namespace))
	t.Cleanup(func() { direct.Delete(context.Background(), namespace) })
	ns := namespace.Name
	port := freePort(t)
	certificates, ca := served(t)
	install(t, direct, ns, fmt.Sprintf("https://127.0.0.1:%d", port), ca)

	manager, err := ctrl.NewManager(rest.CopyConfig(config), ctrl.Options{
		Scheme: s, Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		LeaderElection: true, LeaderElectionID: "captain", LeaderElectionNamespace: ns, LeaderElectionReleaseOnCancel: true,
		WebhookServer: webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, CertDir: certificates}),
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{ns: {}},
			ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {Label: labels.SelectorFromSet(labels.Set{"boat": "papers"})}}},
	})
	must(t, err)
	must(t, manager.GetFieldIndexer().IndexField(t.Context(), &Boat{}, "spec.color", func(o client.Object) []string {
		return []string{o.(*Boat).Spec.Color}
	}))
	must(t, ctrl.NewControllerManagedBy(manager).For(&Boat{}).Owns(&corev1.ConfigMap{}).
		Complete(&captain{Client: manager.GetClient()}))
	must(t, ctrl.NewWebhookManagedBy(manager, &Boat{}).WithDefaulter(shipyard{}).WithValidator(shipyard{}).Complete())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	defer func() {
		stop()
		must(t, <-ended)
		var lease unstructured.Unstructured
		lease.SetAPIVersion("coordination.k8s.io/v1")
		lease.SetKind("Lease")
		must(t, direct.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "captain"}, &lease))
		if holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity"); holder != "" {
			t.Errorf("the lease was not released by %s", holder)
		}
	}()
	<-manager.Elected()
	eventually(t, "the webhook server", func() bool { return manager.GetWebhookServer().StartedChecker()(nil) == nil })

	boat := func(name, color string) *Boat {
		return &Boat{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: BoatSpec{Color: color}}
	}
	// Webhooks: a default, a refusal, a warning.
	red := boat("red", "red")
	must(t, direct.Create(t.Context(), red))
	if red.Spec.Crew != 2 {
		t.Errorf("a crew of %d", red.Spec.Crew)
	}
	refused := direct.Create(t.Context(), boat("titanic", "blue"))
	if want := `admission webhook "vboat.sailing.example.com" denied the request: boats named titanic sink`; !apierrors.IsForbidden(refused) || refused.Error() != want {
		t.Errorf("got %v, not %s", refused, want)
	}
	must(t, direct.Create(t.Context(), boat("plain", "")))
	if all := strings.Join(warnings.texts, ";"); all != "the boat has no color" {
		t.Errorf("warned: %s", all)
	}

	// The reconciler: owned object, finalizer, status.
	ready := func(name, log string) {
		t.Helper()
		eventually(t, name+" says "+log, func() bool {
			var b Boat
			err := direct.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &b)
			return err == nil && b.Status.Log == log && b.Status.ObservedGeneration == b.Generation && controllerutil.ContainsFinalizer(&b, finalizer)
		})
	}
	ready("red", "2 on board")
	ready("plain", "2 on board")
	papers := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "red"}}
	must(t, direct.Get(t.Context(), client.ObjectKeyFromObject(papers), papers))
	must(t, direct.Delete(t.Context(), papers))
	eventually(t, "lost papers are written again", func() bool {
		uid := papers.UID
		var again corev1.ConfigMap
		return direct.Get(t.Context(), client.ObjectKeyFromObject(papers), &again) == nil && again.UID != uid
	})

	// Both versions are views of one boat.
	second := &Boat2{}
	must(t, direct.Get(t.Context(), client.ObjectKeyFromObject(red), second))
	if second.Spec.Sailors != 2 || second.Spec.Color != "red" {
		t.Errorf("as v2: %+v", second.Spec)
	}
	second.Spec.Sailors = 7
	must(t, direct.Update(t.Context(), second))
	ready("red", "7 on board")
	must(t, direct.Create(t.Context(), &Boat2{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "second"}, Spec: Boat2Spec{Color: "red", Sailors: 3}}))
	ready("second", "3 on board")
	repaint := client.MergeFrom(second.DeepCopyObject().(client.Object))
	second.Spec.Color = "green"
	if err := direct.Patch(t.Context(), second, repaint); err == nil || !strings.Contains(err.Error(), "red stays red") {
		t.Errorf("repainted: %v", err)
	}

	// The cache: an index, and no ConfigMap but those selected.
	eventually(t, "the index finds two red boats", func() bool {
		var found BoatList
		err := manager.GetClient().List(t.Context(), &found, client.InNamespace(ns), client.MatchingFields{"spec.color": "red"})
		return err == nil && len(found.Items) == 2
	})
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "unlabelled"}}
	must(t, direct.Create(t.Context(), other))
	var cached, all corev1.ConfigMapList
	must(t, manager.GetClient().List(t.Context(), &cached))
	must(t, manager.GetAPIReader().List(t.Context(), &all, client.InNamespace(ns)))
	if len(cached.Items) != 3 || len(all.Items) < 4 {
		t.Errorf("%d cached of %d", len(cached.Items), len(all.Items))
	}

	// Deletion waits for the finalizer, and takes what was owned along.
	must(t, direct.Delete(t.Context(), red))
	eventually(t, "the boat is scrapped and its papers are gone", func() bool {
		gone := direct.Get(t.Context(), client.ObjectKeyFromObject(red), &Boat{})
		lost := direct.Get(t.Context(), client.ObjectKeyFromObject(papers), &corev1.ConfigMap{})
		trace := direct.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "red-scrapped"}, &corev1.ConfigMap{})
		return apierrors.IsNotFound(gone) && apierrors.IsNotFound(lost) && trace == nil
	})
	must(t, direct.DeleteAllOf(t.Context(), &Boat{}, client.InNamespace(ns)))
	eventually(t, "no boats", func() bool {
		var left BoatList
		return direct.List(t.Context(), &left, client.InNamespace(ns)) == nil && len(left.Items) == 0
	})
}
