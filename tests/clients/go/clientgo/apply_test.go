package clientgo

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	autoscalingapply "k8s.io/client-go/applyconfigurations/autoscaling/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/util/csaupgrade"
)

func applied(name, ns string, replicas int32, containers ...*coreapply.ContainerApplyConfiguration) *appsapply.DeploymentApplyConfiguration {
	app := map[string]string{"app": name}
	return appsapply.Deployment(name, ns).WithLabels(app).WithSpec(appsapply.DeploymentSpec().
		WithReplicas(replicas).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(app)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(app).WithSpec(coreapply.PodSpec().WithContainers(containers...))))
}

func TestApply(t *testing.T) {
	ns := namespace(t)
	deployments := client(t).AppsV1().Deployments(ns)
	container := coreapply.Container().WithName("c").WithImage("example.test/a:1").
		WithPorts(coreapply.ContainerPort().WithContainerPort(80), coreapply.ContainerPort().WithContainerPort(80).WithProtocol(corev1.ProtocolUDP))
	d, err := deployments.Apply(t.Context(), applied("d", ns, 1, container), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	equal(t, "ports", len(d.Spec.Template.Spec.Containers[0].Ports), 2)

	// Another manager may not take a field, unless it forces, and then owns it.
	_, err = deployments.Apply(t.Context(), applied("d", ns, 2, container), metav1.ApplyOptions{FieldManager: "two"})
	refused(t, err, metav1.StatusReasonConflict, `conflict with "one": .spec.replicas`)
	var causes []metav1.StatusCause
	if status, ok := err.(apierrors.APIStatus); ok {
		causes = status.Status().Details.Causes
	}
	equal(t, "causes", fmt.Sprint(causes), `[{FieldManagerConflict conflict with "one" .spec.replicas}]`)
	d, err = deployments.Apply(t.Context(), applied("d", ns, 2, container), metav1.ApplyOptions{FieldManager: "two", Force: true})
	must(t, err)
	equal(t, "replicas", *d.Spec.Replicas, 2)

	extracted, err := appsapply.ExtractDeployment(d, "one")
	must(t, err)
	if extracted.Spec == nil || extracted.Spec.Replicas != nil || *extracted.Spec.Template.Spec.Containers[0].Image != "example.test/a:1" {
		t.Errorf("extracted for one: %+v", extracted.Spec)
	}
	equal(t, "ports of one", len(extracted.Spec.Template.Spec.Containers[0].Ports), 2)

	// What was extracted goes back with one change; a dropped item that nobody else owns goes away.
	mine, err := appsapply.ExtractDeployment(d, "two")
	must(t, err)
	mine.Spec.Template.Spec.Containers[0].WithEnv(coreapply.EnvVar().WithName("A").WithValue("1"))
	d, err = deployments.Apply(t.Context(), mine, metav1.ApplyOptions{FieldManager: "two"})
	must(t, err)
	equal(t, "env", len(d.Spec.Template.Spec.Containers[0].Env), 1)
	mine.Spec.Template.Spec.Containers[0].Env = nil
	d, err = deployments.Apply(t.Context(), mine, metav1.ApplyOptions{FieldManager: "two"})
	must(t, err)
	equal(t, "env", len(d.Spec.Template.Spec.Containers[0].Env), 0)
	equal(t, "generation", d.Generation, 4)

	// The same again is no write.
	again, err := deployments.Apply(t.Context(), mine, metav1.ApplyOptions{FieldManager: "two", DryRun: []string{metav1.DryRunAll}})
	must(t, err)
	equal(t, "generation", again.Generation, d.Generation)
}

func TestApplyStatusAndScale(t *testing.T) {
	ns := namespace(t)
	c := client(t)
	deployments := c.AppsV1().Deployments(ns)
	_, err := deployments.Apply(t.Context(), applied("d", ns, 1, coreapply.Container().WithName("c").WithImage("example.test/a:1")), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	scale, err := deployments.ApplyScale(t.Context(), "d", autoscalingapply.Scale().WithName("d").WithNamespace(ns).
		WithSpec(autoscalingapply.ScaleSpec().WithReplicas(3)), metav1.ApplyOptions{FieldManager: "scaler", Force: true})
	must(t, err)
	equal(t, "replicas", scale.Spec.Replicas, 3)
	d, err := deployments.Get(t.Context(), "d", metav1.GetOptions{})
	must(t, err)
	byScaler, err := appsapply.ExtractDeploymentScale(d, "scaler")
	must(t, err)
	if byScaler.Spec == nil || byScaler.Spec.Replicas == nil || *byScaler.Spec.Replicas != 3 {
		t.Errorf("the scaler does not own replicas: %+v", d.ManagedFields)
	}

	pods := c.CoreV1().Pods(ns)
	_, err = pods.Apply(t.Context(), coreapply.Pod("p", ns).WithSpec(coreapply.PodSpec().WithNodeName("none").
		WithContainers(coreapply.Container().WithName("c").WithImage("example.test/a:1"))), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	p, err := pods.ApplyStatus(t.Context(), coreapply.Pod("p", ns).WithStatus(coreapply.PodStatus().
		WithConditions(coreapply.PodCondition().WithType("Mine").WithStatus(corev1.ConditionTrue))), metav1.ApplyOptions{FieldManager: "prober"})
	must(t, err)
	status, err := coreapply.ExtractPodStatus(p, "prober")
	must(t, err)
	if status.Status == nil || len(status.Status.Conditions) != 1 || *status.Status.Conditions[0].Type != "Mine" {
		t.Errorf("extracted: %+v of %+v", status.Status, p.ManagedFields)
	}
}

// What kubectl does when a user goes from client-side to server-side apply.
func TestMigrationToServerSideApply(t *testing.T) {
	ns := namespace(t)
	maps := client(t).CoreV1().ConfigMaps(ns)
	m, err := maps.Create(t.Context(), configMap("m", "old", "1", "kept", "1"), metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"})
	must(t, err)
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(m, sets.New("kubectl-client-side-apply"), "kubectl")
	must(t, err)
	_, err = maps.Patch(t.Context(), "m", types.JSONPatchType, patch, metav1.PatchOptions{})
	must(t, err)
	m, err = maps.Apply(t.Context(), coreapply.ConfigMap("m", ns).WithData(map[string]string{"kept": "2"}), metav1.ApplyOptions{FieldManager: "kubectl"})
	must(t, err)
	equal(t, "data", fmt.Sprint(m.Data), "map[kept:2]")
	equal(t, "managers", len(m.ManagedFields), 1)
	equal(t, "operation", m.ManagedFields[0].Operation, metav1.ManagedFieldsOperationApply)
}
