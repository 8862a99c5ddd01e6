{{- define "chatbox.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "chatbox.selector" -}}
app.kubernetes.io/name: chatbox
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "chatbox.labels" -}}
{{ include "chatbox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "chatbox.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The path of a route behind the prefix; "/" alone is none. */}}
{{- define "chatbox.path" -}}
{{ trimSuffix "/" .root.Values.pathPrefix }}{{ .path }}
{{- end }}

{{- define "chatbox.grace" -}}
{{ add .Values.shutdown.drainDelaySeconds .Values.shutdown.timeoutSeconds 10 }}
{{- end }}

{{/* What the server is told, but for secrets: the chart's own part, then yours. */}}
{{- define "chatbox.settings" -}}
SERVER_HOST: 0.0.0.0
SERVER_PORT: {{ .Values.port | quote }}
CHATBOX_PATH_PREFIX: {{ .Values.pathPrefix | quote }}
SHUTDOWN_DRAIN_DELAY: {{ printf "%vs" .Values.shutdown.drainDelaySeconds }}
SHUTDOWN_TIMEOUT: {{ printf "%vs" .Values.shutdown.timeoutSeconds }}
STORE: {{ .Values.store }}
DATA_DIR: /var/lib/chatbox
{{- end }}

{{/* Sentences about what cannot work; nothing is made then. */}}
{{- define "chatbox.refuse" -}}
{{- if gt (int .Values.replicas) 1 }}
{{- fail "replicas is more than 1: one process has its database alone (SQLite and MongoDB), and a second pod would not start" }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- fail "autoscaling.enabled is set: there can be one pod only, as one process has its database alone; give it more CPU and SERVER_THREADS instead" }}
{{- end }}
{{- if and (eq (get .Values.config "UPLOAD_STORE" | toString | lower) "s3") (not (has "S3_SECRET_ACCESS_KEY" .Values.secret.keys)) }}
{{- fail "config.UPLOAD_STORE is s3, and secret.keys does not name S3_SECRET_ACCESS_KEY" }}
{{- end }}
{{- if and (eq .Values.store "mongo") (not (has "MONGO_URI" .Values.secret.keys)) }}
{{- fail "store is mongo, and secret.keys does not name MONGO_URI" }}
{{- end }}
{{- if not (or (has "JWT_SECRET" .Values.secret.keys) (has "JWT_PUBLIC_KEY" .Values.secret.keys) .Values.config.JWT_JWKS_URL) }}
{{- fail "nobody could log in: name JWT_SECRET or JWT_PUBLIC_KEY in secret.keys, or set config.JWT_JWKS_URL" }}
{{- end }}
{{- $own := include "chatbox.settings" . | fromYaml }}
{{- range $name, $value := .Values.config }}
{{- if hasKey $own $name }}
{{- fail (printf "config.%s is the chart's own: see port, pathPrefix, shutdown, store" $name) }}
{{- end }}
{{- if regexMatch "(SECRET|PASS|AUTH_TOKEN|API_KEY|ENCRYPTION_KEYS?|MONGO_URI|SECRET_ACCESS_KEY)(_FILE)?$" $name }}
{{- fail (printf "config.%s is a secret: put it into the Secret %s and name it in secret.keys" $name $.Values.secret.name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* One container: init (check) and main (serve) see the same. */}}
{{- define "chatbox.container" -}}
image: {{ include "chatbox.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
envFrom:
  - configMapRef:
      name: {{ include "chatbox.name" . }}
env:
{{- range .Values.secret.keys }}
  - name: {{ . }}_FILE
    value: /run/secrets/chatbox/{{ . }}
{{- end }}
volumeMounts:
  - name: secrets
    mountPath: /run/secrets/chatbox
    readOnly: true
  - name: data
    mountPath: /var/lib/chatbox
  - name: tmp
    mountPath: /tmp
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}

{{- define "chatbox.pod" -}}
metadata:
  labels:
    {{- include "chatbox.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "chatbox.name" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "chatbox.grace" . }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ .Values.userId }}
    runAsGroup: {{ .Values.userId }}
    fsGroup: {{ .Values.userId }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  initContainers:
    - name: check
      command: [/usr/bin/chatbox, check]
      {{- include "chatbox.container" . | nindent 6 }}
  containers:
    - name: chatbox
      command: [/usr/bin/chatbox, serve]
      {{- include "chatbox.container" . | nindent 6 }}
      ports:
        - name: http
          containerPort: {{ .Values.port }}
      startupProbe:
        httpGet:
          path: {{ include "chatbox.path" (dict "root" . "path" "/healthz") }}
          port: http
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet:
          path: {{ include "chatbox.path" (dict "root" . "path" "/healthz") }}
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: {{ include "chatbox.path" (dict "root" . "path" "/readyz") }}
          port: http
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
  volumes:
    # optional: what is missing is said by `chatbox check`, all of it at once.
    - name: secrets
      secret:
        secretName: {{ .Values.secret.name }}
        optional: true
        defaultMode: 0440
        items:
          {{- range .Values.secret.keys }}
          - key: {{ . }}
            path: {{ . }}
          {{- end }}
    - name: tmp # SQLite sorts there what is too much for its memory
      emptyDir: {}
    {{- if eq .Values.store "mongo" }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "chatbox.name" . }}-data
    {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{- toYaml . | nindent 6 }}
      labelSelector:
        matchLabels:
          {{- include "chatbox.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
{{- end }}

{{- define "chatbox.claim" -}}
accessModes: [{{ .Values.persistence.accessMode }}]
{{- with .Values.persistence.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size }}
{{- end }}
