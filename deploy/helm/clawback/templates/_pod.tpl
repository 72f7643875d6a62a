{{/* The pod of a component: [root, component, its values, image]. */}}
{{- define "clawback.podTemplate" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index . 2 -}}
{{- $image := index . 3 -}}
metadata:
  labels:
    {{- include "clawback.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
    {{- with $own.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or $own.podAnnotations (eq $root.Values.rules.source "git") }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ $component }}
    {{- with $own.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "clawback.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- include "clawback.podSecurity" $root | nindent 2 }}
  terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
  {{- if $own.topologySpreadConstraints }}
    {{- toYaml $own.topologySpreadConstraints | nindent 4 }}
  {{- else }}
  {{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "clawback.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $component }}
  {{- end }}
  {{- end }}
  {{- if eq $root.Values.rules.source "git" }}
  initContainers:
    - name: rules-first
      {{- include "clawback.gitSync" (tuple $root true) | nindent 6 }}
    - name: rules
      restartPolicy: Always
      {{- include "clawback.gitSync" (tuple $root false) | nindent 6 }}
  {{- end }}
  containers:
    - name: {{ $component }}
      image: {{ $image }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ $component }}]
      {{- include "clawback.containerSecurity" $root | nindent 6 }}
      env:
        {{- include "clawback.env" $root | nindent 8 }}
        {{- if eq $component "console" }}
        - {name: CLAWBACK_CONSOLE, value: "0.0.0.0:8434"}
        # Where the page of operations finds a worker.
        - {name: CLAWBACK_METRICS, value: "{{ include "clawback.metricsService" $root }}:9464"}
        {{- else }}
        - {name: CLAWBACK_METRICS, value: "0.0.0.0:9464"}
        {{- end }}
        {{- with $own.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if eq $component "console" }}
        - {name: http, containerPort: 8434, protocol: TCP}
        {{- else }}
        - {name: metrics, containerPort: 9464, protocol: TCP}
        {{- end }}
      {{- include "clawback.probes" (ternary "http" "metrics" (eq $component "console")) | nindent 6 }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      volumeMounts:
        - {name: state, mountPath: /var/lib/clawback}
        - {name: tmp, mountPath: /tmp}
        {{- include "clawback.mounts" $root | nindent 8 }}
  volumes:
    {{- if not $own.persistence.enabled }}
    - {name: state, emptyDir: {}}
    {{- end }}
    - {name: tmp, emptyDir: {sizeLimit: 256Mi}}
    {{- include "clawback.volumes" $root | nindent 4 }}
{{- end -}}

{{- define "clawback.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "clawback.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* /livez says that the process runs, whatever Cloudflare and Temporal do; a restart helps neither. */}}
{{- define "clawback.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* The workload around the pod: a StatefulSet if each replica keeps its audit, else a Deployment.
     [root, component, its values, name, image, replicas, build]; `build` is empty for the current one. */}}
{{- define "clawback.workload" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index . 2 -}}
{{- $name := index . 3 -}}
{{- $image := index . 4 -}}
{{- $replicas := index . 5 -}}
{{- $build := index . 6 -}}
{{- $keeps := $own.persistence.enabled -}}
{{- if $build }}
{{- $own = mustMergeOverwrite (deepCopy $own) (dict "podLabels" (dict "clawback/build" $build)) -}}
{{- else }}
{{- $own = mustMergeOverwrite (deepCopy $own) (dict "podLabels" (dict "clawback/build" "current")) -}}
{{- end -}}
apiVersion: apps/v1
kind: {{ ternary "StatefulSet" "Deployment" $keeps }}
metadata:
  name: {{ $name }}
  labels:
    {{- include "clawback.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
spec:
  {{- if not (kindIs "invalid" $replicas) }}
  replicas: {{ $replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      {{- include "clawback.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
      clawback/build: {{ default "current" $build | quote }}
  {{- if $keeps }}
  serviceName: {{ ternary (printf "%s-console-replicas" (include "clawback.fullname" $root)) (include "clawback.metricsService" $root) (eq $component "console") }}
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  volumeClaimTemplates:
    - metadata:
        name: state
        labels:
          {{- include "clawback.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $component }}
        {{- with $own.persistence.annotations }}
        annotations:
          {{- toYaml . | nindent 10 }}
        {{- end }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $own.persistence.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests: {storage: {{ $own.persistence.size }}}
  {{- else }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  {{- end }}
  template:
    {{- include "clawback.podTemplate" (tuple $root $component $own $image) | nindent 4 }}
{{- end -}}
