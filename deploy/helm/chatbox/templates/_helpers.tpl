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

{{/* How many pods there are, or may be. */}}
{{- define "chatbox.replicas" -}}
{{- if not (kindIs "invalid" .Values.replicas) -}}
{{ .Values.replicas }}
{{- else -}}
{{ ternary 2 1 (eq .Values.store "mongo") }}
{{- end -}}
{{- end }}

{{- define "chatbox.most" -}}
{{- if .Values.autoscaling.enabled }}{{ .Values.autoscaling.maxReplicas }}{{ else }}{{ include "chatbox.replicas" . }}{{ end -}}
{{- end }}

{{/* Where uploaded files are: s3, many (a volume of all pods), one (of one pod). */}}
{{- define "chatbox.files" -}}
{{- if and (eq .Values.store "mongo") (eq (get .Values.config "UPLOAD_STORE" | toString | lower) "s3") -}}
s3
{{- else -}}
{{ ternary "many" "one" (eq .Values.persistence.accessMode "ReadWriteMany") }}
{{- end -}}
{{- end }}

{{/* Who is believed about a client: yours, and the pods themselves. */}}
{{- define "chatbox.proxies" -}}
{{- $yours := get .Values.config "TRUSTED_PROXIES" | default "" | toString -}}
{{- $pods := ternary .Values.cluster.podNetworks list (eq .Values.store "mongo") -}}
{{ concat (compact (list $yours)) $pods | join "," }}
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
{{- if eq .Values.store "sqlite" }}
{{- if .Values.autoscaling.enabled }}
{{- fail "autoscaling.enabled is set, and store is sqlite: a process has that database alone, and a second pod would not start; give the pod more CPU and SERVER_THREADS, or take mongo" }}
{{- end }}
{{- if gt (include "chatbox.replicas" . | int) 1 }}
{{- fail "replicas is more than 1, and store is sqlite: a process has that database alone, and a second pod would not start; take mongo" }}
{{- end }}
{{- if eq .Values.persistence.accessMode "ReadWriteMany" }}
{{- fail "persistence.accessMode is ReadWriteMany, and store is sqlite: the database wants a volume of one node, as network file systems lie about locks" }}
{{- end }}
{{- else }}
{{- if not .Values.cluster.podNetworks }}
{{- fail "cluster.podNetworks is empty: name the networks of the pods, as [10.244.0.0/16]; pods of store mongo pass clients on to each other, and have to believe each other who these are" }}
{{- end }}
{{- if and (gt (include "chatbox.most" . | int) 1) (eq (include "chatbox.files" .) "one") }}
{{- fail (printf "there may be %s pods, and uploaded files would be on a volume of one: set config.UPLOAD_STORE=s3 with its settings, or persistence.accessMode=ReadWriteMany, or replicas=1" (include "chatbox.most" .)) }}
{{- end }}
{{- if eq (int .Values.cluster.port) (int .Values.port) }}
{{- fail "cluster.port and port are the same" }}
{{- end }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" }}
{{- end }}
{{- if not (or .Values.autoscaling.cpu .Values.autoscaling.connections) }}
{{- fail "autoscaling.enabled is set, and nothing to go by: set autoscaling.cpu or autoscaling.connections" }}
{{- end }}
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
{{- $own := merge (include "chatbox.settings" . | fromYaml) (dict "CLUSTER_ADDRESS" "" "POD_IP" "") }}
{{- range $name, $value := .Values.config }}
{{- if hasKey $own $name }}
{{- fail (printf "config.%s is the chart's own: see port, pathPrefix, shutdown, store, cluster" $name) }}
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
{{- if eq .Values.store "mongo" }}
  - name: POD_IP
    valueFrom:
      fieldRef:
        fieldPath: status.podIP
  - name: CLUSTER_ADDRESS
    value: {{ printf (ternary "[$(POD_IP)]:%v" "$(POD_IP):%v" (contains ":" (first .Values.cluster.podNetworks))) .Values.cluster.port | quote }}
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
        {{- if eq .Values.store "mongo" }}
        - name: cluster
          containerPort: {{ .Values.cluster.port }}
        {{- end }}
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
      {{- if eq (include "chatbox.files" .) "s3" }}
      emptyDir: {}
      {{- else }}
      persistentVolumeClaim:
        claimName: {{ include "chatbox.name" . }}-data
      {{- end }}
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
