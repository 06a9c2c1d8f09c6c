{{/* What is in more than one template. Those that take a component get (dict "root" $ "component" "identity"). */}}

{{- define "mesh.tag" -}}
{{ .Values.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "mesh.replicas" -}}
{{ .Values.replicas | default (ternary 3 1 .Values.highAvailability) | int64 }}
{{- end }}

{{/* Every object's. */}}
{{- define "mesh.labels" -}}
app.kubernetes.io/part-of: mesh
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
mesh.dev/control-plane-ns: {{ .Values.namespace }}
{{- end }}

{{/* A Deployment's selector can never change. */}}
{{- define "mesh.selector" -}}
mesh.dev/control-plane-component: {{ .component }}
mesh.dev/control-plane-ns: {{ .root.Values.namespace }}
{{- end }}

{{/* Namespace and labels of a component's object. */}}
{{- define "mesh.meta" -}}
namespace: {{ .root.Values.namespace }}
labels:
  {{- include "mesh.labels" .root | nindent 2 }}
  mesh.dev/control-plane-component: {{ .component }}
{{- end }}

{{/* The account, and what it may do in the whole cluster. */}}
{{- define "mesh.account" -}}
{{- $role := printf "mesh-%s-%s" .root.Values.namespace .component -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: mesh-{{ .component }}
  namespace: {{ .root.Values.namespace }}
  labels:
    {{- include "mesh.labels" .root | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $role }}
  labels:
    {{- include "mesh.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $role }}
subjects:
- kind: ServiceAccount
  name: mesh-{{ .component }}
  namespace: {{ .root.Values.namespace }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $role }}
  labels:
    {{- include "mesh.labels" .root | nindent 4 }}
{{- end }}

{{/* Of a Deployment's spec, all but the template. With one replica the new pod is there before the old one ends. */}}
{{- define "mesh.rollout" -}}
replicas: {{ include "mesh.replicas" .root }}
selector:
  matchLabels:
    {{- include "mesh.selector" . | nindent 4 }}
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxSurge: 1
    maxUnavailable: {{ ternary 1 0 (gt (include "mesh.replicas" .root | int) 1) }}
{{- end }}

{{- define "mesh.podLabels" -}}
{{ include "mesh.labels" .root }}
app.kubernetes.io/name: mesh-{{ .component }}
mesh.dev/control-plane-component: {{ .component }}
{{- end }}

{{/* Of a pod's spec, what all have: the restricted pod security standard, and different nodes if there are. */}}
{{- define "mesh.pod" -}}
serviceAccountName: mesh-{{ .component }}
nodeSelector:
  kubernetes.io/os: linux
securityContext:
  runAsNonRoot: true
  runAsUser: 2102
  runAsGroup: 2102
  fsGroup: 2102
  seccompProfile:
    type: RuntimeDefault
{{- if gt (include "mesh.replicas" .root | int) 1 }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        labelSelector:
          matchLabels:
            {{- include "mesh.selector" . | nindent 12 }}
        topologyKey: kubernetes.io/hostname
    - weight: 50
      podAffinityTerm:
        labelSelector:
          matchLabels:
            {{- include "mesh.selector" . | nindent 12 }}
        topologyKey: topology.kubernetes.io/zone
{{- end }}
{{- end }}

{{/* Of a container, what all have. */}}
{{- define "mesh.container" -}}
imagePullPolicy: {{ .root.Values.imagePullPolicy }}
livenessProbe:
  httpGet:
    path: /live
    port: admin
  initialDelaySeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: /ready
    port: admin
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 3
resources:
  {{- toYaml (index .root.Values .component).resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
    - ALL
  readOnlyRootFilesystem: true
{{- end }}

{{/* Arguments of both controllers. */}}
{{- define "mesh.controllerArgs" -}}
- --identity-namespace={{ .Values.namespace }}
- --trust-domain={{ .Values.trustDomain }}
- --cluster-domain={{ .Values.clusterDomain }}
- --cluster-networks={{ .Values.clusterNetworks }}
{{- if .Values.disableIPv6 }}
- --disable-ipv6
{{- end }}
- --log={{ .Values.logLevel }}
{{- end }}

{{/* With more than one replica, one may be away at a time. */}}
{{- define "mesh.disruptionBudget" -}}
{{- if gt (include "mesh.replicas" .root | int) 1 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: mesh-{{ .component }}
  {{- include "mesh.meta" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "mesh.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* What the injector reads; the bytes that mesh install writes, so that both have one checksum. */}}
{{- define "mesh.proxyDefaults" -}}
{{- $defaults := dict
  "proxy-image" (printf "%s/mesh-proxy" .Values.registry)
  "proxy-version" (include "mesh.tag" .)
  "image-pull-policy" .Values.imagePullPolicy
  "opaque-ports" .Values.opaquePorts
  "default-inbound-policy" .Values.defaultInboundPolicy -}}
{{- range $name, $value := merge (deepCopy .Values.proxyDefaults) $defaults -}}
{{ $name }}: {{ $value | toRawJson }}
{{ end }}
{{- end }}

{{/* What `mesh check` reads: without certificates, which are kept elsewhere, and without the issuer's key. */}}
{{- define "mesh.storedValues" -}}
{{- $values := omit (deepCopy .Values) "global" -}}
{{- $_ := set $values "identity" (omit $values.identity "trustAnchors") -}}
{{- $_ := set $values.identity "issuer" (omit $values.identity.issuer "certificate" "key") -}}
{{ toYaml $values }}
{{- end }}

{{/* PEM with one line end after it, whatever the file had. */}}
{{- define "mesh.trustAnchors" -}}
{{- $pem := required "identity.trustAnchors is missing: --set-file identity.trustAnchors=ca.crt (`mesh identity ca` makes one)" .Values.identity.trustAnchors | trim -}}
{{- if contains "PRIVATE KEY" $pem }}{{ fail "identity.trustAnchors has a private key in it; give certificates only" }}{{ end -}}
{{ $pem }}
{{ end }}
