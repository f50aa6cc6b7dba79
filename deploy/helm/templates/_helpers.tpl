{{/* The name of everything: that of the release, with "gateway" in it, and room for "-admin". */}}
{{- define "gateway.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 57 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (.Release.Name | trunc 49 | trimSuffix "-") .Chart.Name -}}
{{- end -}}
{{- end -}}

{{/* What a pod of this release is found by. */}}
{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "gateway.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* gateway.yaml, with what Redis needs where it is enabled; what `config` says itself wins. */}}
{{- define "gateway.config" -}}
{{- if .Values.configFile -}}
{{- .Values.configFile -}}
{{- else if .Values.redis.enabled -}}
{{- $redis := dict "url" .Values.redis.url "on_failure" .Values.redis.onFailure -}}
{{- if .Values.redis.username -}}
{{- $redis = merge $redis (dict "username" .Values.redis.username "password_file" "/run/secrets/gateway/redis-password") -}}
{{- end -}}
{{- $admin := dict "token" "${file:/run/secrets/gateway/admin-token}" -}}
{{- mergeOverwrite (dict "redis" $redis "admin" $admin) (deepCopy .Values.config) | toYaml -}}
{{- else -}}
{{- toYaml .Values.config -}}
{{- end -}}
{{- end -}}
