{{/* The environment that all components share. */}}
{{- define "clawback.env" -}}
- {name: CLOUDFLARE_ACCOUNT_ID, value: {{ required "accountId is required" .Values.accountId | quote }}}
- {name: CLAWBACK_DEPLOYMENT, value: {{ .Values.installation | quote }}}
- {name: CLAWBACK_MODE, value: {{ .Values.mode | quote }}}
- {name: CLAWBACK_UPGRADE, value: {{ .Values.upgrade | quote }}}
- {name: TEMPORAL_ADDRESS, value: {{ required "temporal.address is required" .Values.temporal.address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }}}
{{- if .Values.temporal.tls }}
- {name: TEMPORAL_TLS, value: "true"}
{{- else }}
- {name: CLAWBACK_TEMPORAL_TLS, value: optional}
{{- end }}
# Below the volume, whose own mode Kubernetes chooses: a folder that only this user can enter.
- {name: CLAWBACK_STATE, value: /var/lib/clawback/state}
- {name: CLAWBACK_RULES, value: {{ include "clawback.rulesFolder" . | quote }}}
- {name: CLAWBACK_SAFETY, value: {{ ternary "" "/etc/clawback/safety/safety.yml" .Values.safety.inRules | quote }}}
{{- if .Values.console.enabled }}
{{- if not (or .Values.settings.CLAWBACK_IDENTITY_ISSUER .Values.settings.CLAWBACK_IDENTITY_ACCESS_TEAM) }}
{{- fail "the console needs an identity provider: set CLAWBACK_IDENTITY_ISSUER or CLAWBACK_IDENTITY_ACCESS_TEAM in settings, or console.enabled to false" }}
{{- end }}
- {name: CLAWBACK_CONSOLE_URL, value: {{ required "console.url is required" .Values.console.url | quote }}}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- range $name, $key := .Values.secrets.files }}
{{- if $key }}
- {name: {{ $name }}, value: {{ printf "/etc/clawback/secrets/%s" $key | quote }}}
{{- end }}
{{- end }}
{{- $secret := .Values.secrets.name }}
{{- range $name, $key := .Values.secrets.env }}
{{- if $key }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $key | quote }}}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "clawback.rulesFolder" -}}
{{- if eq .Values.rules.source "image" -}}
/etc/clawback/rules
{{- else if eq .Values.rules.source "git" -}}
{{- printf "/srv/rules/git/current/%s" .Values.rules.git.folder | trimSuffix "/." | trimSuffix "/" -}}
{{- else -}}
/srv/rules
{{- end -}}
{{- end -}}

{{- define "clawback.mounts" -}}
{{- if eq .Values.rules.source "configMaps" }}
{{- range required "rules.configMaps is empty" .Values.rules.configMaps }}
- {name: {{ printf "rules-%s" .folder }}, mountPath: {{ printf "/srv/rules/%s" .folder }}, readOnly: true}
{{- end }}
{{- else if ne .Values.rules.source "image" }}
- {name: rules, mountPath: /srv/rules, readOnly: true}
{{- end }}
{{- if or .Values.safety.configMap .Values.safety.content }}
- {name: safety, mountPath: /etc/clawback/safety, readOnly: true}
{{- end }}
{{- if include "clawback.hasSecretFiles" . }}
- {name: secrets, mountPath: /etc/clawback/secrets, readOnly: true}
{{- end }}
{{- end -}}

{{- define "clawback.hasSecretFiles" -}}
{{- range .Values.secrets.files }}{{ if . }}yes{{ end }}{{ end -}}
{{- end -}}

{{/* Whole folders are mounted, no single files: kubelet renews those only. */}}
{{- define "clawback.volumes" -}}
{{- $full := include "clawback.fullname" . -}}
{{- if eq .Values.rules.source "configMaps" }}
{{- range .Values.rules.configMaps }}
- name: {{ printf "rules-%s" .folder }}
  configMap: {name: {{ .name }}}
{{- end }}
{{- else if eq .Values.rules.source "files" }}
- name: rules
  configMap:
    name: {{ $full }}-rules
    items:
      {{- range $path, $_ := .Values.rules.files }}
      - {key: {{ $path | replace "/" "__" }}, path: {{ $path }}}
      {{- end }}
{{- else if eq .Values.rules.source "git" }}
- {name: rules, emptyDir: {sizeLimit: 256Mi}}
{{- if .Values.rules.git.secretName }}
- name: git-secret
  secret: {secretName: {{ .Values.rules.git.secretName }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- if or .Values.safety.configMap .Values.safety.content }}
- name: safety
  configMap: {name: {{ default (printf "%s-safety" $full) .Values.safety.configMap }}}
{{- end }}
{{- if include "clawback.hasSecretFiles" . }}
- name: secrets
  secret:
    secretName: {{ .Values.secrets.name }}
    # Readable by the group of the pod alone.
    defaultMode: 0440
    items:
      {{- $keys := list }}
      {{- range .Values.secrets.files }}{{ if . }}{{ $keys = append $keys . }}{{ end }}{{ end }}
      {{- range $keys | uniq | sortAlpha }}
      - {key: {{ . | quote }}, path: {{ . | quote }}}
      {{- end }}
{{- end }}
{{- end -}}

{{/* git-sync: [root, whether it ends after the first copy]. */}}
{{- define "clawback.gitSync" -}}
{{- $root := index . 0 -}}
{{- $git := $root.Values.rules.git -}}
image: {{ include "clawback.image" (tuple $git.image "" "rules.git.image") }}
securityContext:
  # The user of the image: ssh needs one with a name.
  runAsUser: 65533
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: GITSYNC_REPO, value: {{ required "rules.git.repository is required" $git.repository | quote }}}
  - {name: GITSYNC_REF, value: {{ $git.ref | quote }}}
  - {name: GITSYNC_ROOT, value: /srv/rules/git}
  - {name: GITSYNC_LINK, value: current}
  - {name: GITSYNC_PERIOD, value: {{ $git.period | quote }}}
  - {name: GITSYNC_DEPTH, value: "1"}
  - {name: GITSYNC_ONE_TIME, value: {{ index . 1 | quote }}}
  - {name: GITSYNC_GROUP_WRITE, value: "true"}
  {{- if $git.secretName }}
  {{- if eq $git.auth "ssh" }}
  - {name: GITSYNC_SSH_KEY_FILE, value: /etc/git-secret/ssh}
  - {name: GITSYNC_SSH_KNOWN_HOSTS_FILE, value: /etc/git-secret/known_hosts}
  {{- else }}
  - name: GITSYNC_USERNAME
    valueFrom: {secretKeyRef: {name: {{ $git.secretName }}, key: username}}
  - {name: GITSYNC_PASSWORD_FILE, value: /etc/git-secret/password}
  {{- end }}
  {{- end }}
resources:
  {{- toYaml $git.resources | nindent 2 }}
volumeMounts:
  - {name: rules, mountPath: /srv/rules}
  - {name: tmp, mountPath: /tmp}
  {{- if $git.secretName }}
  - {name: git-secret, mountPath: /etc/git-secret, readOnly: true}
  {{- end }}
{{- end -}}
