package clientgo

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
)

func deployment(name string, replicas int32) *appsv1.Deployment {
	app := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: app},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: app},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.test/none:1"}}},
			},
		},
	}
}

func TestCreateGetUpdateDelete(t *testing.T) {
	maps := client(t).CoreV1().ConfigMaps(namespace(t))
	made, err := maps.Create(t.Context(), configMap("m", "a", "1"), metav1.CreateOptions{})
	must(t, err)
	if made.UID == "" || made.ResourceVersion == "" || made.CreationTimestamp.IsZero() {
		t.Errorf("unfinished metadata: %+v", made.ObjectMeta)
	}
	_, err = maps.Create(t.Context(), configMap("m"), metav1.CreateOptions{})
	refused(t, err, metav1.StatusReasonAlreadyExists, `configmaps "m" already exists`)

	made.Data["b"] = "2"
	updated, err := maps.Update(t.Context(), made, metav1.UpdateOptions{FieldManager: "me"})
	must(t, err)
	equal(t, "b", updated.Data["b"], "2")
	_, err = maps.Update(t.Context(), made, metav1.UpdateOptions{})
	refused(t, err, metav1.StatusReasonConflict, "the object has been modified")

	dry := updated.DeepCopy()
	dry.Data["b"] = "3"
	dry, err = maps.Update(t.Context(), dry, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
	must(t, err)
	equal(t, "b in the dry run", dry.Data["b"], "3")
	got, err := maps.Get(t.Context(), "m", metav1.GetOptions{})
	must(t, err)
	equal(t, "b", got.Data["b"], "2")

	wrong := types.UID("another")
	err = maps.Delete(t.Context(), "m", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}})
	refused(t, err, metav1.StatusReasonConflict, "the UID in the precondition (another) does not match")
	must(t, maps.Delete(t.Context(), "m", metav1.DeleteOptions{}))
	_, err = maps.Get(t.Context(), "m", metav1.GetOptions{})
	refused(t, err, metav1.StatusReasonNotFound, `configmaps "m" not found`)
}

func TestPatchesOfEachKind(t *testing.T) {
	deployments := client(t).AppsV1().Deployments(namespace(t))
	_, err := deployments.Create(t.Context(), deployment("d", 1), metav1.CreateOptions{})
	must(t, err)
	patch := func(kind types.PatchType, body string, sub ...string) *appsv1.Deployment {
		t.Helper()
		d, err := deployments.Patch(t.Context(), "d", kind, []byte(body), metav1.PatchOptions{}, sub...)
		must(t, err)
		return d
	}
	d := patch(types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":2}]`)
	equal(t, "replicas", *d.Spec.Replicas, 2)
	d = patch(types.MergePatchType, `{"metadata":{"annotations":{"x":"y"}},"spec":{"replicas":3}}`)
	equal(t, "replicas", *d.Spec.Replicas, 3)
	d = patch(types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"example.test/side:1"}]}}}}`)
	equal(t, "containers", len(d.Spec.Template.Spec.Containers), 2)
	d = patch(types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}}`)
	equal(t, "containers", len(d.Spec.Template.Spec.Containers), 1)
	// The controller observes the same object: the test only adds a condition of its own.
	d = patch(types.StrategicMergePatchType, `{"status":{"conditions":[{"type":"Mine","status":"True"}]}}`, "status")
	found := false
	for _, c := range d.Status.Conditions {
		found = found || c.Type == "Mine"
	}
	equal(t, "the condition is there", found, true)

	_, err = deployments.Patch(t.Context(), "d", types.JSONPatchType,
		[]byte(`[{"op":"test","path":"/spec/replicas","value":77}]`), metav1.PatchOptions{})
	refused(t, err, metav1.StatusReasonInvalid, "")
}

func TestRetryOnConflict(t *testing.T) {
	maps := client(t).CoreV1().ConfigMaps(namespace(t))
	_, err := maps.Create(t.Context(), configMap("m"), metav1.CreateOptions{})
	must(t, err)
	const writers = 8
	var done sync.WaitGroup
	for i := range writers {
		done.Go(func() {
			backoff := retry.DefaultBackoff
			backoff.Steps = 30
			err := retry.RetryOnConflict(backoff, func() error {
				m, err := maps.Get(t.Context(), "m", metav1.GetOptions{})
				if err != nil {
					return err
				}
				if m.Data == nil {
					m.Data = map[string]string{}
				}
				m.Data[fmt.Sprint(i)] = "here"
				_, err = maps.Update(t.Context(), m, metav1.UpdateOptions{})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	m, err := maps.Get(t.Context(), "m", metav1.GetOptions{})
	must(t, err)
	equal(t, "entries", len(m.Data), writers)
}

func TestPagesAndSelectors(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	maps := c.CoreV1().ConfigMaps(ns)
	for i := range 25 {
		m := configMap(fmt.Sprintf("m-%02d", i))
		m.Labels = map[string]string{"parity": []string{"even", "odd"}[i%2]}
		_, err := maps.Create(t.Context(), m, metav1.CreateOptions{})
		must(t, err)
	}
	pages := 0
	p := pager.New(pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) {
		pages++
		return maps.List(t.Context(), o)
	}))
	p.PageSize = 4
	var names []string
	options := metav1.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{"parity": "odd"}).String()}
	must(t, p.EachListItem(t.Context(), options, func(o runtime.Object) error {
		names = append(names, o.(*corev1.ConfigMap).Name)
		return nil
	}))
	equal(t, "pages", pages, 4)
	equal(t, "names", fmt.Sprint(names), "[m-01 m-03 m-05 m-07 m-09 m-11 m-13 m-15 m-17 m-19 m-21 m-23]")

	first, err := maps.List(t.Context(), metav1.ListOptions{Limit: 10, LabelSelector: "parity"})
	must(t, err)
	if first.RemainingItemCount != nil {
		t.Errorf("remainingItemCount %d under a selector", *first.RemainingItemCount)
	}
	one, err := maps.List(t.Context(), metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "m-03").String()})
	must(t, err)
	equal(t, "found by name", len(one.Items), 1)
	sets, err := maps.List(t.Context(), metav1.ListOptions{LabelSelector: "parity in (odd, none),parity notin (even),!absent"})
	must(t, err)
	equal(t, "found by sets", len(sets.Items), 12)
	_, err = maps.List(t.Context(), metav1.ListOptions{FieldSelector: "data.x=1"})
	refused(t, err, metav1.StatusReasonBadRequest, `"data.x" is not a known field selector`)
	must(t, maps.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "parity=even"}))
	rest, err := maps.List(t.Context(), metav1.ListOptions{LabelSelector: "parity"})
	must(t, err)
	equal(t, "left", len(rest.Items), 12)
}

func TestScaleThroughTheTypedClient(t *testing.T) {
	deployments := client(t).AppsV1().Deployments(namespace(t))
	_, err := deployments.Create(t.Context(), deployment("d", 1), metav1.CreateOptions{})
	must(t, err)
	scale, err := deployments.GetScale(t.Context(), "d", metav1.GetOptions{})
	must(t, err)
	equal(t, "selector", scale.Status.Selector, "app=d")
	scale.Spec.Replicas = 4
	_, err = deployments.UpdateScale(t.Context(), "d", &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: scale.Namespace}, Spec: scale.Spec}, metav1.UpdateOptions{})
	must(t, err)
	eventually(t, "four replicas are made", func() bool {
		d, err := deployments.Get(t.Context(), "d", metav1.GetOptions{})
		return err == nil && *d.Spec.Replicas == 4 && d.Status.Replicas == 4
	})
}

func TestEvictionHeedsTheBudget(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	none := intstr.FromInt32(1)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: map[string]string{"app": "p"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.test/none:1"}}, NodeName: "no-such-node"}}
	_, err := c.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
	must(t, err)
	running := []byte(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`)
	_, err = c.CoreV1().Pods(ns).Patch(t.Context(), "p", types.StrategicMergePatchType, running, metav1.PatchOptions{}, "status")
	must(t, err)
	_, err = c.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "b"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &none, Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}},
	}, metav1.CreateOptions{})
	must(t, err)
	eventually(t, "the budget counts the pod", func() bool {
		b, err := c.PolicyV1().PodDisruptionBudgets(ns).Get(t.Context(), "b", metav1.GetOptions{})
		return err == nil && b.Status.CurrentHealthy == 1
	})
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: ns}}
	err = c.PolicyV1().Evictions(ns).Evict(t.Context(), eviction)
	refused(t, err, metav1.StatusReasonTooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.")
	must(t, c.PolicyV1().PodDisruptionBudgets(ns).Delete(t.Context(), "b", metav1.DeleteOptions{}))
	eviction.DeleteOptions = &metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
	must(t, c.PolicyV1().Evictions(ns).Evict(t.Context(), eviction))
	eventually(t, "the pod is gone", func() bool {
		_, err := c.CoreV1().Pods(ns).Get(t.Context(), "p", metav1.GetOptions{})
		return err != nil
	})
}

func TestEventsAreRecordedAndCounted(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: c.CoreV1().Events(ns)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "tester"})
	m, err := c.CoreV1().ConfigMaps(ns).Create(t.Context(), configMap("m"), metav1.CreateOptions{})
	must(t, err)
	for range 3 {
		recorder.Eventf(m, corev1.EventTypeWarning, "Tried", "attempt at %s", "something")
	}
	eventually(t, "one event with a count of 3", func() bool {
		events, err := c.CoreV1().Events(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=m,reason=Tried,type=Warning"})
		return err == nil && len(events.Items) == 1 && events.Items[0].Count == 3
	})
	through, err := c.EventsV1().Events(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "regarding.name=m"})
	must(t, err)
	if len(through.Items) != 1 || through.Items[0].DeprecatedCount != 3 || through.Items[0].Note != "attempt at something" {
		t.Errorf("through events.k8s.io: %+v", through.Items)
	}
}

func TestTokensOfServiceAccounts(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	seconds := int64(600)
	issued, err := c.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	must(t, err)
	if left := time.Until(issued.Status.ExpirationTimestamp.Time); left < 9*time.Minute || left > 11*time.Minute {
		t.Errorf("expires in %v", left)
	}
	own := rest.AnonymousClientConfig(config(t))
	own.BearerToken = issued.Status.Token
	bearer := kubernetes.NewForConfigOrDie(own)
	me, err := bearer.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	must(t, err)
	equal(t, "user", me.Status.UserInfo.Username, "system:serviceaccount:"+ns+":default")
	_, err = bearer.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{})
	refused(t, err, metav1.StatusReasonForbidden, `cannot list resource "secrets" in API group "" in the namespace "`+ns+`"`)

	review, err := c.AuthenticationV1().TokenReviews().Create(t.Context(),
		&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: issued.Status.Token}}, metav1.CreateOptions{})
	must(t, err)
	equal(t, "authenticated", review.Status.Authenticated, true)
}

func TestImpersonation(t *testing.T) {
	ns := namespace(t)
	as := config(t)
	as.Impersonate = rest.ImpersonationConfig{UserName: "jane", UID: "7", Groups: []string{"readers"},
		Extra: map[string][]string{"example.com/Odd%Key": {"a", "b"}}}
	jane := kubernetes.NewForConfigOrDie(as)
	me, err := jane.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	// Nobody has yet let jane in, but every authenticated user may ask who it is.
	must(t, err)
	info := me.Status.UserInfo
	equal(t, "user", fmt.Sprint(info.Username, " ", info.UID, " ", info.Groups, info.Extra), "jane 7 [readers system:authenticated] map[example.com/odd%key:[a b]]")
	_, err = jane.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	refused(t, err, metav1.StatusReasonForbidden, `User "jane" cannot list resource "pods"`)
	may, err := jane.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: "list", Resource: "pods"}},
	}, metav1.CreateOptions{})
	must(t, err)
	equal(t, "allowed", may.Status.Allowed, false)
}

type warnings struct {
	mutex sync.Mutex
	texts []string
}

func (w *warnings) HandleWarningHeader(code int, agent, text string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.texts = append(w.texts, fmt.Sprint(code, " ", text))
}

func TestWarnings(t *testing.T) {
	ns := namespace(t)
	heard := &warnings{}
	with := config(t)
	with.WarningHandler = heard
	c := kubernetes.NewForConfigOrDie(with)
	body := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1"},"dota":{}}`
	must(t, c.CoreV1().RESTClient().Post().Namespace(ns).Resource("configmaps").SetHeader("Content-Type", "application/json").
		Body([]byte(body)).Do(t.Context()).Error())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Name: "c", Image: "x", Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "A", Value: "2"}}}}}}
	_, err := c.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	must(t, err)
	equal(t, "warnings", fmt.Sprint(heard.texts),
		`[299 unknown field "dota" 299 spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply]`)
	strict := c.CoreV1().RESTClient().Post().Namespace(ns).Resource("configmaps").SetHeader("Content-Type", "application/json").
		Param("fieldValidation", "Strict").Body([]byte(body)).Do(t.Context()).Error()
	refused(t, strict, metav1.StatusReasonBadRequest, `strict decoding error: unknown field "dota"`)
}

// The rest client's own way: raw paths, deadlines, status codes, and a body that is an error's.
func TestRestClient(t *testing.T) {
	c := client(t)
	var code int
	raw := c.Discovery().RESTClient().Get().AbsPath("/livez").Do(t.Context()).StatusCode(&code)
	text, err := raw.Raw()
	must(t, err)
	equal(t, "livez", fmt.Sprint(code, string(text)), "200ok")
	c.Discovery().RESTClient().Get().AbsPath("/no/such/path").Do(t.Context()).StatusCode(&code)
	equal(t, "code", code, http.StatusNotFound)
	version, err := c.Discovery().ServerVersion()
	must(t, err)
	equal(t, "major.minor", version.Major+"."+version.Minor, "1.37")
}
