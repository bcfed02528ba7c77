{{- define "shop.labels" -}}
app.kubernetes.io/name: shop
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
{{- define "shop.pod" -}}
restartPolicy: Never
terminationGracePeriodSeconds: 0
containers:
- name: c
  image: {{ .Values.image }}
  imagePullPolicy: IfNotPresent
{{- end -}}
