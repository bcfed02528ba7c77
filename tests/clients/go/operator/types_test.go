// Package operator is a controller-runtime manager as operators are written with it, against the cluster of KUBECONFIG.
package operator

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/conversion"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const group = "sailing.example.com"

var (
	v1 = schema.GroupVersion{Group: group, Version: "v1"}
	v2 = schema.GroupVersion{Group: group, Version: "v2"}
)

// Boat is the stored version; Boat2 calls the crew sailors.
type Boat struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BoatSpec   `json:"spec"`
	Status            BoatStatus `json:"status,omitempty"`
}

type BoatSpec struct {
	Color string `json:"color,omitempty"`
	Crew  int    `json:"crew,omitempty"`
}

type BoatStatus struct {
	Log                string `json:"log,omitempty"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
}

type BoatList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Boat `json:"items"`
}

type Boat2 struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Boat2Spec  `json:"spec"`
	Status            BoatStatus `json:"status,omitempty"`
}

type Boat2Spec struct {
	Color   string `json:"color,omitempty"`
	Sailors int    `json:"sailors,omitempty"`
}

func (b *Boat) DeepCopyObject() runtime.Object {
	c := *b
	b.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	return &c
}

func (b *Boat2) DeepCopyObject() runtime.Object {
	c := *b
	b.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	return &c
}

func (l *BoatList) DeepCopyObject() runtime.Object {
	c := BoatList{TypeMeta: l.TypeMeta, ListMeta: l.ListMeta}
	for i := range l.Items {
		c.Items = append(c.Items, *l.Items[i].DeepCopyObject().(*Boat))
	}
	return &c
}

func (*Boat) Hub() {}

func (b *Boat2) ConvertTo(to conversion.Hub) error {
	hub := to.(*Boat)
	hub.ObjectMeta, hub.Status = b.ObjectMeta, b.Status
	hub.Spec = BoatSpec{Color: b.Spec.Color, Crew: b.Spec.Sailors}
	return nil
}

func (b *Boat2) ConvertFrom(from conversion.Hub) error {
	hub := from.(*Boat)
	b.ObjectMeta, b.Status = hub.ObjectMeta, hub.Status
	b.Spec = Boat2Spec{Color: hub.Spec.Color, Sailors: hub.Spec.Crew}
	return nil
}

func addToScheme(s *runtime.Scheme) {
	s.AddKnownTypeWithName(v1.WithKind("Boat"), &Boat{})
	s.AddKnownTypeWithName(v1.WithKind("BoatList"), &BoatList{})
	s.AddKnownTypeWithName(v2.WithKind("Boat"), &Boat2{})
	metav1.AddToGroupVersion(s, v1)
	metav1.AddToGroupVersion(s, v2)
}

// The webhooks of Boat: a crew of two by default, no repainting, and names that sailors shun.
type shipyard struct{}

func (shipyard) Default(_ context.Context, b *Boat) error {
	if b.Spec.Crew == 0 {
		b.Spec.Crew = 2
	}
	return nil
}

func (shipyard) ValidateCreate(_ context.Context, b *Boat) (admission.Warnings, error) {
	if b.Name == "titanic" {
		return nil, fmt.Errorf("boats named %s sink", b.Name)
	}
	if b.Spec.Color == "" {
		return admission.Warnings{"the boat has no color"}, nil
	}
	return nil, nil
}

func (shipyard) ValidateUpdate(_ context.Context, old, b *Boat) (admission.Warnings, error) {
	if old.Spec.Color != "" && old.Spec.Color != b.Spec.Color {
		return nil, fmt.Errorf("%s stays %s", b.Name, old.Spec.Color)
	}
	return nil, nil
}

func (shipyard) ValidateDelete(context.Context, *Boat) (admission.Warnings, error) { return nil, nil }

func definition(webhook string, ca []byte) *apiextensionsv1.CustomResourceDefinition {
	number := apiextensionsv1.JSONSchemaProps{Type: "integer"}
	text := apiextensionsv1.JSONSchemaProps{Type: "string"}
	version := func(name, crew string, storage bool) apiextensionsv1.CustomResourceDefinitionVersion {
		return apiextensionsv1.CustomResourceDefinitionVersion{Name: name, Served: true, Storage: storage,
			Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object",
				Properties: map[string]apiextensionsv1.JSONSchemaProps{
					"spec":   {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"color": text, crew: number}},
					"status": {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"log": text, "observedGeneration": number}},
				}}}}
	}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "boats." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names:    apiextensionsv1.CustomResourceDefinitionNames{Plural: "boats", Singular: "boat", Kind: "Boat", ListKind: "BoatList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{version("v1", "crew", true), version("v2", "sailors", false)},
			Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter,
				Webhook: &apiextensionsv1.WebhookConversion{ConversionReviewVersions: []string{"v1"},
					ClientConfig: &apiextensionsv1.WebhookClientConfig{URL: ptr.To(webhook + "/convert"), CABundle: ca}}},
		},
	}
}
